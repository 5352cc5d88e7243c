"""From which score on another draw is not worth its cost."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, isfinite

from ...compiler.errors import InputError
from ...compiler.fitted import Stopping
from .seen import About, Seen

__all__ = ["calibrated", "fit_stopping", "stopping_value"]

_FEWEST = 20
"""Candidates with the score, for a calibration to say anything."""


def fit_stopping(seen: Sequence[Seen], about: About, score: str, cost: float) -> Stopping:
    """The least score at which to stop drawing, where a draw costs `cost` and a right answer is
    worth 1.

    Scores become chances of being right by isotonic regression. With those, the best that can be
    done is to stop at the first draw whose chance is at least the stopping value: draws are taken
    for independent and alike, as if all came from one question. Raises `InputError` where there is
    too little to fit to.
    """
    told = [(kept[score], right) for one in seen for kept, right in one.kept if score in kept]
    known = sorted((value, right) for value, right in told if isfinite(value))
    if len(known) < _FEWEST:
        raise InputError(
            f"{len(known)} candidates of the results have the score {score!r}, not {_FEWEST}; let "
            "`output:` keep all of them"
        )
    chances = calibrated([value for value, _ in known], [right for _, right in known])
    value = stopping_value(chances, cost)
    enough = (at for (at, _), chance in zip(known, chances, strict=True) if chance >= value)
    return Stopping(
        made=about.made,
        pipeline=about.pipeline,
        data=about.data,
        models=about.models,
        score=score,
        at_least=next(enough),
        cost=cost,
        value=value,
    )


def calibrated(scores: Sequence[float], right: Sequence[bool]) -> list[float]:
    """The chance of being right by rising score, never falling: isotonic regression, by pooling
    neighbours that are out of order. Equal scores share theirs.

    >>> calibrated([0.1, 0.2, 0.3], [True, False, True])
    [0.5, 0.5, 1.0]
    """
    pools: list[tuple[float, int]] = []
    for place, is_right in enumerate(right):
        total, count = float(is_right), 1
        same = place > 0 and scores[place] == scores[place - 1]
        while pools and (same or pools[-1][0] / pools[-1][1] >= total / count):
            before = pools.pop()
            total, count, same = total + before[0], count + before[1], False
        pools.append((total, count))
    return [total / count for total, count in pools for _ in range(count)]


def stopping_value(chances: Sequence[float], cost: float) -> float:
    """The chance z where a draw brings on average as much beyond z as it costs: the mean of
    max(chance - z, 0) is `cost` (Weitzman, 1979). Below 0 where a draw is never worth it."""
    low, high = -cost - 1.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        gain = fsum(max(chance - middle, 0.0) for chance in chances) / len(chances)
        low, high = (middle, high) if gain > cost else (low, middle)
    return low
