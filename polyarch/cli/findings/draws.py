"""Tables of what the draws of a question come to."""

from __future__ import annotations

from collections.abc import Iterator

from ...evaluation.analysis.coverage import Coverage
from ...evaluation.analysis.diversity import Diversity
from ...evaluation.analysis.forecast import Forecast
from ...evaluation.analysis.saturation import Saturation
from ...evaluation.analysis.split import Split
from .words import Rows, points_of, share_of

__all__ = ["coverage", "diversity", "forecast", "saturation", "split"]


def coverage(result: Coverage, name: str) -> Iterator[Rows]:
    """Coverage by the number of draws."""
    rows = [[name, str(k), share_of(s)] for k, s in zip(result.ks, result.shares, strict=True)]
    yield "Questions that one of k draws gets right", ["source", "k", "coverage [95%]"], list(rows)


def forecast(result: Forecast, name: str) -> Iterator[Rows]:
    """What coverage is foretold to be, beside what was seen."""
    head = ["source", "fitted on", "k", "fit", "foretold [95%]", "seen [95%]", "foretold - seen"]
    seen = share_of(result.seen)
    yield (
        "Coverage foretold from the first draws",
        head,
        [
            [
                *(name, str(result.fitted_on), str(result.k), one.fit),
                *(share_of(one.coverage), seen, points_of(one.error)),
            ]
            for one in result.predicted
        ],
    )


def saturation(result: Saturation, name: str) -> Iterator[Rows]:
    """Accuracy by the number of draws, and what the oracle has over it."""
    head = ["source", "rule", *map(str, result.ns), "enough", "more adds [95%]", "best n"]
    rows = [
        [
            *(name, own.rule, *(f"{each.estimate:.1%}" for each in own.accuracy)),
            *(str(own.enough), points_of(own.left), str(own.best)),
        ]
        for own in result.growth
    ]
    # Sources with other numbers of draws have other columns.
    yield f"Accuracy of choosing among n draws, n up to {result.ns[-1]}", head, list(rows)
    gaps = [[name, rule, points_of(gap)] for rule, gap in result.gaps]
    yield "What the oracle has over each rule", ["source", "rule", "gap [95%]"], list(gaps)


def diversity(result: Diversity, name: str) -> Iterator[Rows]:
    """How different the answers to a question are."""
    head = ["source", "draws", "distinct", "effective", "entropy (bits)", "two agree", "unanimous"]
    numbers = (result.draws, result.distinct, result.effective, result.entropy)
    shares = (result.agreement, result.unanimous, result.silent)
    row = [name, *(f"{own:.3g}" for own in numbers), *(f"{own:.1%}" for own in shares)]
    yield "Answers to a question", [*head, "no answer"], [row]


def split(result: Split, name: str) -> Iterator[Rows]:
    """The best split of each budget, and how it grows."""
    head = ["source: score", "cost", "solutions", "verifications", "right [95%]"]
    more = ["a vote of", "right [95%]"]
    rows = [
        [
            *(name, f"{own.budget:g}", str(own.best.solutions), str(own.best.verifications)),
            *(share_of(own.best.accuracy), str(own.vote.solutions), share_of(own.vote.accuracy)),
        ]
        for own in result.chosen
    ]
    yield (
        "Solutions and verifications of each, best for the cost in solutions",
        [*head, *more],
        [*rows],
    )
    head = ["source: score", "solutions", "verifications", "verifying pays from"]
    powers = (result.solutions, result.verifications)
    row = [name, *("-" if own is None else f"cost^{own:.2f}" for own in powers)]
    row.append("-" if result.pays_from is None else f"{result.pays_from:g} solutions")
    yield "How the best split grows", head, [row]
