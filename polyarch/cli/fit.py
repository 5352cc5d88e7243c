"""Fit weights, a threshold or a router to questions with known answers."""

from __future__ import annotations

import asyncio
import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..compiler.errors import InputError
from ..compiler.names import nearest
from .completing import pipelines
from .errors import as_json, of_file
from .voice import aside

if TYPE_CHECKING:
    from ..compiler.fitted import Fitted

__all__ = ["command"]


@click.command("fit")
@click.argument("file", shell_complete=pipelines)
@click.option(
    "--data", required=True, metavar="JSONL", help="Questions, each with its `reference`."
)
@click.option("--out", required=True, metavar="JSON", help="Where what was fitted goes.")
@click.option(
    "--what",
    type=click.Choice(["weights", "threshold", "router"]),
    default="weights",
    show_default=True,
    help="What is fitted.",
)
@click.option("--score", default="vote", show_default=True, help="For a threshold: of which score.")
@click.option(
    "--risk",
    type=click.FloatRange(0, 1, True, True),
    default=0.1,
    show_default=True,
    help="For a threshold: the most wrong.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, True, True),
    default=0.9,
    show_default=True,
    help="For a threshold: how surely.",
)
@click.option("--cases", metavar="FIRST,SECOND", help="For a router: two models of the pipeline.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, True, True),
    default=0.5,
    show_default=True,
    help="For a router: how many go second.",
)
@click.option("--seed", default=0, show_default=True, help="Decides every random choice.")
@click.option(
    "--allow-key",
    "keys",
    metavar="VARIABLE",
    multiple=True,
    help="An environment variable whose key the pipeline may send. Can be repeated.",
)
@click.option("--json", is_flag=True, callback=as_json, help="What was fitted, or errors, as JSON.")
def command(
    file: str,
    data: str,
    out: str,
    what: str,
    score: str,
    risk: float,
    confidence: float,
    cases: str | None,
    share: float,
    seed: int,
    keys: tuple[str, ...],
    json: bool,
) -> None:
    """Fit weights, a threshold or a router to questions with known answers.

    Runs the pipeline FILE on every question of --data and writes what it finds: `weights`, what the
    vote of each model counts (`weight: {file: …}`); a `threshold` on a score of the result, below
    which a pipeline had better abstain (`holds: {file: …}`); or a `router` between two models that
    both answer every question (`{op: router, by: {file: …}}`). The file says which data and models
    it was fitted to, and a pipeline with other models refuses it.
    """
    from ..compiler.build import build_file
    from ..compiler.plan import plan
    from ..evaluation.fitting import Promise, fit_router, fit_threshold, fit_weights
    from .files import pipeline_file
    from .fitting import Known, known, seen_by

    made = plan(build_file(pipeline_file(file)))
    told: Known = known(data, made)
    pair = _pair(cases, tuple(made.graph.models)) if what == "router" else ("", "")
    seen = asyncio.run(seen_by(made, told, seed, keys))
    about = told.about(made)
    artefact: Fitted
    if what == "weights":
        artefact = fit_weights(seen, about)
    elif what == "threshold":
        artefact = fit_threshold(seen, about, Promise(score, risk, confidence))
    else:
        artefact = fit_router(seen, about, pair, share)
    with of_file(out):
        Path(out).write_text(artefact.model_dump_json(indent=1) + "\n")
    if json:
        fitted = artefact.model_dump(mode="json")
        record = {"what": what, "questions": told.count, "out": out, "fitted": fitted}
        click.echo(jsonlib.dumps(record, ensure_ascii=False))
        return
    aside(f"{what} fitted to {told.count:,} questions: {out}")


def _pair(cases: str | None, models: tuple[str, ...]) -> tuple[str, str]:
    """The two models that a router chooses between."""
    named = [] if cases is None else [name.strip() for name in cases.split(",")]
    for name in named:
        if name not in models:
            raise InputError(f"--cases: no model {name!r} in the pipeline; {nearest(name, models)}")
    if len(named) != 2 or named[0] == named[1]:
        raise click.UsageError(
            "a router needs --cases with two models of the pipeline: weak,strong"
        )
    return named[0], named[1]
