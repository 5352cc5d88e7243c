"""Analyse draws, verdicts and results."""

from __future__ import annotations

import click

from .completing import files
from .errors import as_json

__all__ = ["STUDIES", "command"]

STUDIES = ("coverage", "saturation", "verifier", "selective", "judges", "models", "diversity")
"""What can be told; here, so that help imports none of it."""


@click.command("analyze")
@click.argument("where", metavar="RUNS|RECORDINGS", shell_complete=files)
@click.option("--of", "study", required=True, type=click.Choice(STUDIES), help="What to tell.")
@click.option(
    "--source", "sources", multiple=True, metavar="NAME", help="Only this pipeline, model or judge."
)
@click.option("--score", metavar="NAME", help="verifier, selective: only this score.")
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
    help="verifier: the price of a wrong answer, where a right one is worth 1.",
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
    risk: float,
    size: int,
    json: bool,
) -> None:
    """Tell why scores are what they are, and what would change them.

    RUNS are the records that `polyarch eval --out` writes; RECORDINGS is a folder of recorded
    outputs. Each figure comes with what it assumes.

    \b
    coverage    questions that one of k draws gets right, and a forecast for more draws
    saturation  where more draws stop paying, by plurality, score and oracle
    verifier    error rates of a score, and what drawing until it accepts can reach
    selective   risk when only sure answers are given, and a threshold that keeps to one
    judges      order bias, length bias and agreement of judges of pairs
    models      how far models err together, and which few are best together
    diversity   how different the draws of a question are
    """
    from .analyzing import Ask, analyze

    ask = Ask(where, study, sources, score, fit_on, at, tolerance, threshold, penalty, risk, size)
    analyze(ask, json=json)
