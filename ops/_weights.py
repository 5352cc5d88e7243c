"""What scores make of votes."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum

__all__ = ["borda", "softmax"]


def softmax(scores: Sequence[float]) -> list[float]:
    """The exponentials over their sum; no score is too large for it.

    >>> softmax([1000.0, 1000.0])
    [0.5, 0.5]
    """
    if not scores:
        return []
    highest = max(scores)
    powers = [exp(score - highest) for score in scores]
    whole = fsum(powers)
    return [power / whole for power in powers]


def borda(scores: Sequence[float], power: float = 1.0) -> list[float]:
    """The rank of each among N, N for the highest and 1 for the lowest, to a power; equal scores
    share the mean of their ranks.

    >>> borda([0.2, 0.9, 0.2])
    [1.5, 3.0, 1.5]
    """
    ordered = sorted(scores)
    first = {score: place for place, score in reversed(list(enumerate(ordered, start=1)))}
    last = {score: place for place, score in enumerate(ordered, start=1)}
    return [((first[score] + last[score]) / 2) ** power for score in scores]
