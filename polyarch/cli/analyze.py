"""Analyse draws, verdicts and results."""

from __future__ import annotations

from typing import Literal

import click

from .completing import files
from .errors import as_json
from .options import allow_keys

__all__ = ["STUDIES", "command"]

STUDIES = (
    "coverage",
    "saturation",
    "split",
    "verifier",
    "selective",
    "abstention",
    "judges",
    "models",
    "diversity",
    "cost",
    "steps",
    "failures",
    "faithfulness",
)
"""What can be told; here, so that help imports none of it."""


@click.command("analyze")
@click.argument("where", metavar="RUNS|RECORDINGS|TRACE", shell_complete=files)
@click.option("--of", "study", required=True, type=click.Choice(STUDIES), help="What to tell.")
@click.option(
    "--source", "sources", multiple=True, metavar="NAME", help="Only this pipeline, model or judge."
)
@click.option(
    "--score", metavar="NAME", help="split, verifier, selective, abstention: only this score."
)
@click.option(
    "--fit-on",
    type=click.IntRange(min=2),
    help="coverage: draws to fit on; a quarter of them unless told.",
)
@click.option(
    "--at",
    type=click.IntRange(min=1),
    help="coverage: draws to foretell; ten times what there is unless told.",
)
@click.option(
    "--tolerance",
    default=0.01,
    show_default=True,
    type=click.FloatRange(min=0),
    help="saturation: what more draws may still add where the curve counts as level.",
)
@click.option(
    "--threshold", type=float, help="verifier: accepted from here on; chosen on the draws else."
)
@click.option(
    "--penalty",
    default=0.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="verifier, abstention: the price of a wrong answer, where a right one is worth 1.",
)
@click.option(
    "--cost",
    default=0.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="abstention: the price of a draw, where a right answer is worth 1.",
)
@click.option(
    "--risk",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="selective: the share of wrong answers to keep to.",
)
@click.option(
    "--size",
    default=3,
    show_default=True,
    type=click.IntRange(min=1),
    help="models: the most models of an ensemble.",
)
@click.option(
    "--votes",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="split: the verdicts that each score is the share of.",
)
@click.option(
    "--ratio",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="split: what a verification costs, in solutions.",
)
@click.option(
    "--rule",
    default="weighted",
    show_default=True,
    type=click.Choice(["weighted", "best"]),
    help="split: how verdicts choose, by a weighted vote or the best draw.",
)
@click.option("--data", help="steps, failures: the items of the trace, with references.")
@click.option(
    "--field", "fields", multiple=True, metavar="NAME=FIELD", help="What --data calls a field."
)
@click.option("--metric", help="steps, failures: what scores an answer, instead of the data's own.")
@click.option(
    "--pipeline",
    metavar="FILE",
    help="steps, failures, faithfulness: ask its models what the trace does not hold.",
)
@click.option(
    "--model",
    metavar="BACKEND/NAME",
    help="failures: the model asked what went wrong. faithfulness: the one that paraphrases.",
)
@click.option("--options", metavar="JSON", help="The options of --model.")
@click.option("--step", metavar="NAME", help="faithfulness: the step whose reasoning is edited.")
@click.option(
    "--closing",
    default="",
    metavar="TEXT",
    help="faithfulness: what the conclusion of a reply begins with; asks for it after a cut.",
)
@click.option(
    "--whole",
    is_flag=True,
    help="faithfulness: the edited text is the whole reply; else the model goes on from it.",
)
@click.option("--budget", metavar="UNIT=LIMIT,…", help="For all that is asked together.")
@allow_keys
@click.option("--json", is_flag=True, callback=as_json, help="What was found, or errors, as JSON.")
def command(
    where: str,
    study: str,
    sources: tuple[str, ...],
    score: str | None,
    fit_on: int | None,
    at: int | None,
    tolerance: float,
    threshold: float | None,
    penalty: float,
    cost: float,
    risk: float,
    size: int,
    votes: int,
    ratio: float,
    rule: Literal["weighted", "best"],
    data: str | None,
    fields: tuple[str, ...],
    metric: str | None,
    pipeline: str | None,
    model: str | None,
    options: str | None,
    step: str | None,
    closing: str,
    whole: bool,
    budget: str | None,
    keys: tuple[str, ...],
    json: bool,
) -> None:
    """Tell why scores are what they are, and what would change them.

    RUNS are the records that `polyarch eval --out` writes; RECORDINGS is a folder of recorded
    outputs; TRACE is what `--trace` of run and eval writes. Each figure comes with what it assumes.

    \b
    coverage      questions that one of k draws gets right, and a forecast for more draws
    saturation    where more draws stop paying, by plurality, score and oracle
    split         how many solutions, and how many verifications of each, at equal cost
    verifier      error rates of a score, and what drawing until it accepts can reach
    selective     risk when only sure answers are given, and a threshold that keeps to one
    abstention    how many draws and how sure to be, together, by the price of an error
    judges        order bias, length bias and agreement of judges of pairs
    models        how far models err together, and which few are best together
    diversity     how different the draws of a question are
    cost          seconds of a call without queueing; when a dearer pipeline pays

    \b
    Of a trace, run again with something changed:
    steps         what each step adds, for each call and token
    failures      which reply made an answer wrong: a model's guess, checked by a replay
    faithfulness  whether answers change when the reasoning is edited

    Only the last three may ask models, and only those of --pipeline and --model.
    """
    from .analyzing import Ask, analyze
    from .attributing import Again
    from .budget import budget_of
    from .eval import mapped

    again = Again(
        data=data,
        fields=mapped(fields),
        metric=metric,
        pipeline=pipeline,
        model=model,
        options=options,
        step=step,
        closing=closing,
        whole=whole,
        budget=budget_of(budget),
        keys=keys,
    )
    ask = Ask(
        where=where,
        study=study,
        sources=sources,
        score=score,
        fit_on=fit_on,
        at=at,
        tolerance=tolerance,
        threshold=threshold,
        penalty=penalty,
        cost=cost,
        risk=risk,
        size=size,
        votes=votes,
        ratio=ratio,
        rule=rule,
        again=again,
    )
    analyze(ask, json=json)
