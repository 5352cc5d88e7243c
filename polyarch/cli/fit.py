"""Fit weights, a threshold, a stopping value, a table or a router to known answers."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..compiler.errors import InputError
from ..compiler.names import nearest
from .completing import pipelines
from .errors import as_json, of_file
from .options import allow_keys
from .voice import aside

if TYPE_CHECKING:
    from ..compiler.fitted import Fitted
    from ..compiler.plan import Plan
    from ..evaluation.fitting import Embedded
    from ..runtime.result import Result
    from .fitting import Known

__all__ = ["command"]


@click.command("fit")
@click.argument("file", shell_complete=pipelines)
@click.option(
    "--data", required=True, metavar="JSONL", help="Questions, each with its `reference`."
)
@click.option("--out", required=True, metavar="JSON", help="Where what was fitted goes.")
@click.option(
    "--what",
    type=click.Choice(["weights", "threshold", "stopping", "table", "router"]),
    default="weights",
    show_default=True,
    help="What is fitted.",
)
@click.option(
    "--score",
    default="vote",
    show_default=True,
    help="For a threshold or stopping: of which score.",
)
@click.option(
    "--cost",
    type=click.FloatRange(0, 1, True, True),
    default=0.02,
    show_default=True,
    help="For stopping: of a draw, where a right answer is worth 1.",
)
@click.option("--probe", metavar="STEP", help="For a table: the step whose draws it looks at.")
@click.option(
    "--by",
    type=click.Choice(["agreement", "answers"]),
    default="agreement",
    show_default=True,
    help="For a table: what it looks at.",
)
@click.option(
    "--unit",
    type=click.Choice(["calls", "tokens", "usd"]),
    default="calls",
    show_default=True,
    help="For a table: what --most counts.",
)
@click.option(
    "--most",
    type=click.FloatRange(0, min_open=True),
    help="For a table: the most that one more right answer may cost.  [default: anything]",
)
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
@click.option(
    "--cases",
    metavar="A,B",
    help="For a router: two models; for a table: steps, named as the cases.",
)
@click.option(
    "--embedder", metavar="MODEL", help="For a router: whose embeddings it sees, in place of words."
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, True, True),
    default=0.5,
    show_default=True,
    help="For a router: how many go second.",
)
@click.option("--seed", default=0, show_default=True, help="Decides every random choice.")
@allow_keys
@click.option("--json", is_flag=True, callback=as_json, help="What was fitted, or errors, as JSON.")
def command(
    file: str,
    data: str,
    out: str,
    what: str,
    cases: str | None,
    seed: int,
    keys: tuple[str, ...],
    json: bool,
    **told: Any,
) -> None:
    """Fit weights, a threshold, a stopping value, a table or a router to known answers.

    Runs the pipeline FILE on every question of --data and writes what it finds: `weights`, what the
    vote of each model counts (`weight: {file: …}`); a `threshold` on a score of the result, below
    which a pipeline had better abstain (`holds: {file: …}`); `stopping`, the score from which on
    another draw is not worth its cost (`stop_at: {file: …}` of a selection); a `table` of which
    step answers best by what the draws of --probe say (`{op: table, by: {file: …}}`); or a `router`
    between two models that both answer every question (`{op: router, by: {file: …}}`). The file
    says which data and models it was fitted to, and a pipeline with other models refuses it.
    """
    from ..compiler.build import build_file
    from ..compiler.plan import plan
    from .embedding import embedded
    from .files import pipeline_file
    from .fitting import known, results_of

    made = plan(build_file(pipeline_file(file)))
    questions = known(data, made)
    named = _named(what, cases, made, told)
    results = asyncio.run(results_of(made, questions, seed, keys))
    seen_by = told["embedder"] if what == "router" else None
    vectors = asyncio.run(embedded(made, questions, seen_by, keys)) if seen_by else None
    artefact = _fitted(what, _Fit(made, questions, results, named, told, vectors))
    with of_file(out):
        Path(out).write_text(artefact.model_dump_json(indent=1) + "\n")
    if json:
        fitted = artefact.model_dump(mode="json")
        record = {"what": what, "questions": questions.count, "out": out, "fitted": fitted}
        click.echo(jsonlib.dumps(record, ensure_ascii=False))
        return
    aside(f"{what} fitted to {questions.count:,} questions: {out}")


@dataclass(frozen=True, slots=True)
class _Fit:
    """What there is to fit to: the plan, the questions and what came of them; the cases, and what
    else was said."""

    plan: Plan
    known: Known
    results: Sequence[Result]
    cases: Sequence[str]
    told: Mapping[str, Any]
    embedded: Embedded | None = None


def _fitted(what: str, fit: _Fit) -> Fitted:
    """What was asked for."""
    from ..evaluation.fitting import (
        Promise,
        Worth,
        fit_router,
        fit_stopping,
        fit_table,
        fit_threshold,
        fit_weights,
    )
    from .fitting import seen_in
    from .trying import Trial, tried_in

    told, about = fit.told, fit.known.about(fit.plan)
    if what == "table":
        trial = Trial(told["probe"], fit.cases, told["by"], told["unit"])
        tried = tried_in(fit.results, fit.known.answers, fit.plan, trial)
        draws = fit.plan.flows[trial.probe].count.high
        return fit_table(tried, about, fit.cases, Worth(trial.by, draws, told["most"]))
    seen = seen_in(fit.results, fit.known, fit.plan)
    match what:
        case "weights":
            return fit_weights(seen, about)
        case "threshold":
            promise = Promise(told["score"], told["risk"], told["confidence"])
            return fit_threshold(seen, about, promise)
        case "stopping":
            return fit_stopping(seen, about, told["score"], told["cost"])
    return fit_router(seen, about, (fit.cases[0], fit.cases[1]), told["share"], fit.embedded)


def _named(what: str, cases: str | None, made: Plan, told: Mapping[str, Any]) -> Sequence[str]:
    """The cases, where what is fitted has any: two models, or steps."""
    named = [] if cases is None else [name.strip() for name in cases.split(",")]
    if what == "router":
        return _pair(named, tuple(made.graph.models))
    if what == "table" and (told["probe"] is None or len(set(named)) < 2):
        raise click.UsageError(
            "a table needs --probe, and --cases with two steps or more: cheap,dear"
        )
    return named


def _pair(named: Sequence[str], models: tuple[str, ...]) -> Sequence[str]:
    """The two models that a router chooses between."""
    for name in named:
        if name not in models:
            raise InputError(f"--cases: no model {name!r} in the pipeline; {nearest(name, models)}")
    if len(named) != 2 or named[0] == named[1]:
        raise click.UsageError(
            "a router needs --cases with two models of the pipeline: weak,strong"
        )
    return named
