"""Below which score a pipeline had better abstain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, lgamma, log, log1p

from ...compiler.errors import InputError
from ...compiler.fitted import Threshold
from .seen import About, Seen

__all__ = ["Promise", "fit_threshold", "share_wrong"]

_GRID = 20
"""Thresholds from 0 to 1 that are tried, less one."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised of answers whose score is high enough: with probability `confidence`, at
    most the share `risk` of them is wrong."""

    score: str
    risk: float
    confidence: float


def fit_threshold(seen: Sequence[Seen], about: About, promise: Promise) -> Threshold:
    """The least of the thresholds 0, 0.05, … 1 that keeps the promise.

    An upper bound on the share of wrong answers (Clopper and Pearson) must be within the risk, at a
    level that allows for all thresholds tried. Raises `InputError` if none keeps it.
    """
    level = 1 - (1 - promise.confidence) / (_GRID + 1)
    for step in range(_GRID + 1):
        least = step / _GRID
        given = [one.right for one in seen if one.scores.get(promise.score, -1.0) >= least]
        wrong = len(given) - sum(given)
        if given and share_wrong(wrong, len(given), level) <= promise.risk:
            return Threshold(
                made=about.made,
                pipeline=about.pipeline,
                data=about.data,
                models=about.models,
                score=promise.score,
                at_least=least,
                risk=promise.risk,
                confidence=promise.confidence,
                answered=len(given) / len(seen),
            )
    raise InputError(
        f"no threshold on {promise.score!r} keeps wrong answers below {promise.risk:g} with "
        f"confidence {promise.confidence:g} on {len(seen)} questions"
    )


def share_wrong(wrong: int, total: int, level: float) -> float:
    """The upper bound of a share at a level, exact (Clopper and Pearson).

    >>> round(share_wrong(0, 100, 0.95), 4)
    0.0295
    """
    if wrong == total:
        return 1.0
    low, high = wrong / total, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        tail = fsum(exp(_log_chance(k, total, middle)) for k in range(wrong + 1))
        low, high = (middle, high) if tail > 1 - level else (low, middle)
    return high


def _log_chance(k: int, total: int, share: float) -> float:
    """The log of the chance of k out of so many."""
    ways = lgamma(total + 1) - lgamma(k + 1) - lgamma(total - k + 1)
    return ways + k * log(share) + (total - k) * log1p(-share)
