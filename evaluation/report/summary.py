"""The numbers of one pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ..intervals import Interval, bootstrap, wilson
from ..judges.length import length_controlled
from ..metrics.calibration import Calibration, calibration
from ..record import Record
from .choosing import Choosing, choosing
from .costs import Costs, costs

__all__ = ["Slice", "Summary", "by_item", "interval", "summary"]

_FEWEST = 2
_MOST_SLICES = 30


@dataclass(frozen=True, slots=True)
class Slice:
    """The score over the questions whose `field` has a `value`."""

    field: str
    value: str
    questions: int
    score: Interval


@dataclass(frozen=True, slots=True)
class Summary:
    """A pipeline in numbers. A run that failed scores 0; `errors` counts such runs by code, and
    `unparsed` those that ended without an answer that could be read.

    `score` is the mean over questions with its 95% interval: Wilson's where each score is 0 or 1
    and each question was asked once, else the bootstrap over questions. `by_seed` are the means of
    the seeds. `stopped` counts runs in which a step stopped early.
    """

    name: str
    questions: int
    runs: int
    score: Interval
    by_seed: Mapping[int, float]
    unparsed: int
    errors: Mapping[str, int]
    first_error: str
    stopped: int
    choosing: Choosing | None
    cost: Costs
    calibration: Mapping[str, Calibration]
    slices: tuple[Slice, ...]
    length_controlled: float | None
    """Of judged answers, the win rate with the judge's liking for length taken out."""


def summary(name: str, records: Sequence[Record], slices: Sequence[str] = ()) -> Summary:
    """The numbers of one pipeline's records; parts of the data by the fields in `slices`."""
    items = by_item(records)
    score = interval(list(items.values()), once=len(items) == len(records))
    failed = [record for record in records if record.error]
    seeds = sorted({record.seed for record in records})
    return Summary(
        name=name,
        questions=len(items),
        runs=len(records),
        score=score,
        by_seed={s: fmean(r.score or 0.0 for r in records if r.seed == s) for s in seeds},
        unparsed=sum(not record.parsed and not record.error for record in records),
        errors=dict(Counter(record.code for record in failed)),
        first_error=failed[0].error if failed else "",
        stopped=sum(bool(record.stopped) for record in records),
        choosing=choosing(records, score.estimate),
        cost=costs(records),
        calibration=_calibrations(records),
        slices=tuple(part for field in slices for part in _slices(field, records)),
        length_controlled=_length_controlled(records),
    )


def _length_controlled(records: Sequence[Record]) -> float | None:
    kept = [r for r in records if r.score is not None and "baseline_length" in r.detail]
    if not kept:
        return None
    lengths = [[float(str(r.detail[name])) for r in kept] for name in ("length", "baseline_length")]
    return length_controlled([r.score or 0.0 for r in kept], *lengths)


def by_item(records: Sequence[Record]) -> Mapping[str, float]:
    """The mean score of every item over its seeds; a failed run scores 0."""
    found: dict[str, list[float]] = {}
    for record in records:
        found.setdefault(record.item, []).append(record.score or 0.0)
    return {item: fmean(scores) for item, scores in found.items()}


def interval(scores: Sequence[float], *, once: bool) -> Interval:
    """The mean with its 95% interval; `once` says that each question was asked once."""
    if once and all(score in (0.0, 1.0) for score in scores):
        return wilson(int(sum(scores)), len(scores))
    return bootstrap(scores)


def _calibrations(records: Sequence[Record]) -> Mapping[str, Calibration]:
    """The calibration of every score that all results carry and that lies between 0 and 1."""
    kept = [record for record in records if record.scores and record.score is not None]
    if len(kept) < _FEWEST or any(record.score not in (0.0, 1.0) for record in kept):
        return {}
    names = set.intersection(*(set(record.scores) for record in kept))
    stated = {name: [record.scores[name] for record in kept] for name in sorted(names)}
    right = [record.score or 0.0 for record in kept]
    return {
        name: calibration(own, right)
        for name, own in stated.items()
        if all(0 <= one <= 1 for one in own)
    }


def _slices(field: str, records: Sequence[Record]) -> list[Slice]:
    """The parts of the data by a field, largest first."""
    parts: dict[str, list[Record]] = {}
    for record in records:
        parts.setdefault(str(record.slices.get(field, "—")), []).append(record)
    largest = sorted(parts.items(), key=lambda one: (-len(one[1]), one[0]))[:_MOST_SLICES]
    made = []
    for value, own in largest:
        items = by_item(own)
        score = interval(list(items.values()), once=len(items) == len(own))
        made.append(Slice(field, value, len(items), score))
    return made
