"""Check a pipeline, price it, and print the plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..compiler.emit import EMITTERS
from ..compiler.names import nearest
from .errors import as_json, of_file
from .files import pipeline_file

if TYPE_CHECKING:
    from ..compiler.graph import Graph
    from ..compiler.op import Amount

__all__ = ["command"]


@click.command("compile")
@click.argument("file")
@click.option("--after", metavar="PASS", help="Print the graph as it is after this pass.")
@click.option("--emit", metavar="KIND", help=f"Write the plan as {', '.join(EMITTERS)}.")
@click.option("--json", is_flag=True, callback=as_json, help="The plan, or errors, as JSON.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write to this file.")
@click.option(
    "--question-tokens",
    type=click.IntRange(min=1),
    help="The longest question to price for; 512 if left out.",
)
def command(
    file: str,
    after: str | None,
    emit: str | None,
    json: bool,
    output: str | None,
    question_tokens: int | None,
) -> None:
    """Check a pipeline, price it, and print the plan.

    FILE is a pipeline file, or the name of a pipeline in the library. Nothing is asked of any
    model. A plan that its budget cannot hold is an error.
    """
    from ..compiler.build import build_file
    from ..compiler.plan import plan

    kind = _kind(after, emit, json)
    graph = build_file(pipeline_file(file))
    if after is not None:
        _write(str(_after(graph, after)), output)
        return
    made = plan(graph, _question(question_tokens))
    if kind != "table":
        made.refuse()
    _write(EMITTERS[kind](made), output)
    made.refuse()


def _kind(after: str | None, emit: str | None, json: bool) -> str:
    """What to print. Raises for more than one wish, and for an unknown one."""
    if (after is not None) + (emit is not None) + json > 1:
        raise click.UsageError("--after, --emit and --json exclude one another")
    kind = emit or ("json" if json else "table")
    if kind not in EMITTERS:
        raise click.BadParameter(f"no {kind!r}; {nearest(kind, EMITTERS)}", param_hint="--emit")
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
