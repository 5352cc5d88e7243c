"""Strengths out of comparisons of two: Bradley and Terry's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum

__all__ = ["bradley_terry", "expected_shares"]

_ROUNDS = 10_000
_CLOSE = 1e-12


def bradley_terry(count: int, won: Mapping[tuple[int, int], float]) -> list[float]:
    """The strength of each of `count` players, where i beats j with the chance p_i / (p_i + p_j).

    `won[i, j]` says how often i beat j, half of a tie for each. Everyone also beat, and lost to, a
    player of strength 1 half a time, so that strengths exist when somebody won or lost everything
    or when the comparisons fall into parts. The maximum of the likelihood by Hunter's
    minorisation–maximisation (MM algorithms for generalized Bradley-Terry models, 2004), which
    raises it with every round; it is strictly concave here, so that there is one maximum.

    >>> [round(p, 3) for p in bradley_terry(2, {(0, 1): 1.0, (1, 0): 1.0})]
    [1.0, 1.0]
    """
    wins = [0.5 + fsum(w for (i, _), w in won.items() if i == one) for one in range(count)]
    met: list[dict[int, float]] = [{} for _ in range(count)]
    for (i, j), times in won.items():
        met[i][j] = met[i].get(j, 0.0) + times
        met[j][i] = met[j].get(i, 0.0) + times
    strengths = [1.0] * count
    for _ in range(_ROUNDS):
        new = [
            wins[i]
            / (
                1.0 / (strengths[i] + 1.0)
                + fsum(times / (strengths[i] + strengths[j]) for j, times in met[i].items())
            )
            for i in range(count)
        ]
        moved = max((abs(a - b) / b for a, b in zip(new, strengths, strict=True)), default=0.0)
        strengths = new
        if moved < _CLOSE:
            break
    return strengths


def expected_shares(strengths: Sequence[float]) -> list[float]:
    """The share of comparisons with all others that each would win; 1/2 for one alone.

    >>> expected_shares([3.0, 1.0])
    [0.75, 0.25]
    """
    others = len(strengths) - 1
    if others < 1:
        return [0.5 for _ in strengths]
    return [
        fsum(p / (p + q) for j, q in enumerate(strengths) if j != i) / others
        for i, p in enumerate(strengths)
    ]
