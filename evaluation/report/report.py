"""Everything that an evaluation says, and what must be said beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from ...compiler.values import Json
from ..looks import Looks
from ..run import Evaluation
from .comparing import Comparison, compared
from .summary import Summary, summary

__all__ = ["Report", "report"]


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation in numbers. `notes` are what a reader must know to believe them."""

    data: str
    split: str
    fingerprint: str
    items: int
    metric: str
    seeds: tuple[int, ...]
    summaries: tuple[Summary, ...]
    comparisons: tuple[Comparison, ...]
    baselines: tuple[str, ...]
    best_single: str
    oracle: float
    notes: tuple[str, ...]
    looks: Looks

    def as_json(self) -> Json:
        """The report as JSON."""
        told: Json = asdict(self)
        return told


def report(
    evaluation: Evaluation,
    *,
    baselines: Sequence[str] = (),
    slices: Sequence[str] = (),
    looks: Looks | None = None,
) -> Report:
    """The report of an evaluation. Without `baselines`, all are compared with the first pipeline.

    `slices` are fields of the items whose values part the data.
    """
    records = {name: evaluation.of(name) for name in evaluation.pipelines}
    records = {name: own for name, own in records.items() if own}
    summaries = tuple(summary(name, own, slices) for name, own in records.items())
    against = tuple(baselines) or tuple(records)[:1]
    best = max(summaries, key=lambda one: one.score.estimate, default=None)
    found = looks or Looks()
    return Report(
        data=evaluation.data.name,
        split=evaluation.data.split,
        fingerprint=evaluation.data.fingerprint,
        items=len(evaluation.data),
        metric=evaluation.metric,
        seeds=evaluation.seeds,
        summaries=summaries,
        comparisons=compared(records, against),
        baselines=tuple(baselines),
        best_single=best.name if best else "",
        oracle=_any_right(evaluation),
        notes=tuple(_notes(evaluation, summaries, found)),
        looks=found,
    )


def _any_right(evaluation: Evaluation) -> float:
    """The mean of the best score that any pipeline reached on each item."""
    best: dict[str, float] = {}
    for record in evaluation.records:
        best[record.item] = max(best.get(record.item, 0.0), record.score or 0.0)
    return fmean(best.values()) if best else 0.0


def _notes(evaluation: Evaluation, summaries: Sequence[Summary], looks: Looks) -> Iterator[str]:
    if evaluation.stopped:
        asked = len(evaluation.pipelines) * len(evaluation.seeds) * len(evaluation.data)
        yield (
            f"It ended before all was asked, after {len(evaluation.records):,} of {asked:,} runs: "
            f"{evaluation.stopped}."
        )
    if any(one.errors for one in summaries):
        yield "Runs that failed score 0 and are counted as errors."
    if evaluation.null is not None:
        told = "" if evaluation.null < 0.1 else " That is too much: do not trust this judge."
        yield f"One constant answer to every question scores {evaluation.null:.1%}.{told}"
    if not evaluation.data.split:
        yield "No split was named: choosing by these numbers leaves no test set in this data."
    if looks.test > 1:
        yield (
            f"The test split was looked at {looks.test} times. Numbers chosen by repeated looks "
            "are too good: report the first."
        )
    if looks.dev > 1 and evaluation.data.split == "dev":
        yield f"The dev split was looked at {looks.dev} times; the best of many is optimistic."
    if len(evaluation.seeds) == 1:
        yield "One seed: the intervals hold for the questions, not for other draws."
    if len(evaluation.pipelines) > 2:
        yield (
            f"Of {len(evaluation.pipelines)} pipelines the best is chosen after the fact, which "
            "flatters it; p-values are adjusted for the number of comparisons."
        )
