"""Check a pipeline, price it, and print the plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..compiler.emit import EMITTERS
from ..compiler.names import nearest
from .completing import kinds, passes, pipelines
from .errors import as_json, of_file
from .files import pipeline_file
from .space import drawn, only_space, opened, told

if TYPE_CHECKING:
    from ..compiler.emit import Emitter
    from ..compiler.graph import Graph
    from ..compiler.op import Amount

__all__ = ["command"]

_PLACEMENT = "placement"
"""Written for plans with GPUs alone."""


@click.command("compile")
@click.argument("file", shell_complete=pipelines)
@click.option(
    "--after",
    metavar="PASS",
    shell_complete=passes,
    help="Print the graph as it is after this pass.",
)
@click.option(
    "--emit",
    metavar="KIND",
    shell_complete=kinds,
    help=f"Write the plan as {', '.join((*EMITTERS, _PLACEMENT))}.",
)
@click.option(
    "--gpus",
    metavar="GPUS",
    help="Place the models on these GPUs: 1xH200, 2xA100-80G,4xL40S, or a YAML file.",
)
@click.option(
    "--batch", type=click.IntRange(min=1), help="With --gpus: for a batch of so many questions."
)
@click.option(
    "--at-once",
    type=click.IntRange(min=1),
    help="With --gpus: questions under way together; 1 if left out, of a batch what fits.",
)
@click.option(
    "--gpu-hour", type=click.FloatRange(min=0), help="With --gpus: dollars for an hour of one GPU."
)
@click.option("--json", is_flag=True, callback=as_json, help="The plan, or errors, as JSON.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write to this file.")
@click.option(
    "--question-tokens",
    type=click.IntRange(min=1),
    help="The longest question to price for; 512 if left out.",
)
@click.option(
    "--random",
    "draws",
    type=click.IntRange(min=1),
    metavar="N",
    help="Of a search space: N of its pipelines, drawn at random.",
)
@click.option("--seed", default=0, show_default=True, help="Which those are.")
def command(
    file: str,
    after: str | None,
    emit: str | None,
    gpus: str | None,
    batch: int | None,
    at_once: int | None,
    gpu_hour: float | None,
    json: bool,
    output: str | None,
    question_tokens: int | None,
    draws: int | None,
    seed: int,
) -> None:
    """Check a pipeline, price it, and print the plan.

    FILE is a pipeline file, or the name of a pipeline in the library. Nothing is asked of any
    model. A plan that its budget cannot hold is an error.

    Of a search space (a pipeline with holes) the holes are printed, and some of its pipelines are
    compiled: all if they are few.
    """
    from ..compiler.build import build_file
    from ..compiler.plan import plan

    kind = _kind(after, emit, json)
    _check_gpus(gpus, kind, after, {"--batch": batch, "--at-once": at_once, "--gpu-hour": gpu_hour})
    path = pipeline_file(file)
    if (space := opened(path)) is not None:
        only_space({"--after": after, "--emit": emit, "--gpus": gpus}, draws, json)
        question = _question(question_tokens)
        _write(drawn(space, draws, seed) if draws else told(space, seed, json, question), output)
        return
    if draws is not None:
        raise click.UsageError(f"--random is for search spaces, and {file} has no holes")
    graph = build_file(path)
    if after is not None:
        _write(str(_after(graph, after)), output)
        return
    made = plan(graph, _question(question_tokens))
    if gpus is not None:
        from ..compiler.place.fleet import fleet
        from ..compiler.place.placing import placed

        made = placed(made, fleet(gpus), batch=batch, at_once=at_once, usd_per_hour=gpu_hour)
    if kind != "table":
        made.refuse()
    _write(_emitter(kind)(made), output)
    made.refuse()


def _emitter(kind: str) -> Emitter:
    if kind != _PLACEMENT:
        return EMITTERS[kind]
    from ..compiler.emit import placement

    return placement.emit


def _check_gpus(gpus: str | None, kind: str, after: str | None, more: Mapping[str, object]) -> None:
    """Raises for options that say something of GPUs when none are given, and the other way."""
    needing = [name for name, value in more.items() if value is not None]
    if kind == _PLACEMENT:
        needing.append(f"--emit {_PLACEMENT}")
    if gpus is None and needing:
        raise click.UsageError(f"{needing[0]} needs --gpus")
    if gpus is not None and after is not None:
        raise click.UsageError("--after and --gpus exclude one another")


def _kind(after: str | None, emit: str | None, json: bool) -> str:
    """What to print. Raises for more than one wish, and for an unknown one."""
    if (after is not None) + (emit is not None) + json > 1:
        raise click.UsageError("--after, --emit and --json exclude one another")
    kind = emit or ("json" if json else "table")
    kinds = (*EMITTERS, _PLACEMENT)
    if kind not in kinds:
        raise click.BadParameter(f"no {kind!r}; {nearest(kind, kinds)}", param_hint="--emit")
    return kind


def _question(tokens: int | None) -> Amount:
    from ..compiler.verify import ANY_QUESTION

    return ANY_QUESTION if tokens is None else type(ANY_QUESTION)(1, tokens)


def _after(graph: Graph, name: str) -> Graph:
    from ..compiler.passes import PASSES, apply

    names = [step.__name__ for step in PASSES]
    if name not in names:
        raise click.BadParameter(f"no pass {name!r}; {nearest(name, names)}", param_hint="--after")
    for _, made in apply(graph, until=name):
        graph = made
    return graph


def _write(text: str, output: str | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    with of_file(output):
        Path(output).write_text(text, encoding="utf-8")
