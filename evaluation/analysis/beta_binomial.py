"""Questions of uneven difficulty: the chance that a draw is right follows a beta distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .coverage import Floats

__all__ = ["BetaBinomial", "fit_beta_binomial"]

_ASSUMES = (
    "the chance that a draw is right is beta distributed over questions",
    "draws of a question are independent",
)
_GRID, _ZOOMS = 11, 14


@dataclass(frozen=True, slots=True)
class BetaBinomial:
    """The distribution of difficulty is Beta(`a`, `b`)."""

    a: float
    b: float
    assumes: tuple[str, ...] = _ASSUMES

    def at(self, k: int) -> float:
        """Coverage of k draws: one less the mean of (1 - p)^k, in closed form."""
        taken = np.arange(k)
        return float(-np.expm1(np.sum(np.log((self.b + taken) / (self.a + self.b + taken)))))


def fit_beta_binomial(right: Sequence[int], draws: Sequence[int]) -> BetaBinomial:
    """The maximum-likelihood fit to so many `right` among so many `draws` of each question.

    Mean and concentration are searched by a grid that narrows around the best: the mean from 1e-6
    to 1 - 1e-6, the concentration a + b from 1e-3 to 1e5, where equally hard questions end. Raises
    ValueError for counts that cannot be.
    """
    hits, total = np.asarray(right, dtype=np.int64), np.asarray(draws, dtype=np.int64)
    if not len(hits) or hits.shape != total.shape or np.any(hits < 0) or np.any(hits > total):
        raise ValueError("each question needs draws, and at most as many right ones")
    above = [_above(counts, int(total.max())) for counts in (hits, total - hits, total)]
    centre, reach = np.array([0.0, 2.3]), np.array([13.8, 9.2])
    for _ in range(_ZOOMS):
        axes = [np.linspace(c - r, c + r, _GRID) for c, r in zip(centre, reach, strict=True)]
        mean, size = np.meshgrid(*axes, indexing="ij")
        found = np.unravel_index(np.argmax(_likelihood(mean, size, above)), mean.shape)
        centre = np.array([mean[found], size[found]])
        reach = reach * 3 / (_GRID - 1)
    a, b = _shape(centre[0], centre[1])
    return BetaBinomial(float(a), float(b))


def _above(counts: np.ndarray[tuple[int], np.dtype[np.int64]], most: int) -> Floats:
    """How many counts are above 0, 1, …: the factors that a rising factorial of each has."""
    return np.asarray((counts[:, None] > np.arange(most)).sum(axis=0), dtype=np.float64)


def _shape(mean: Floats, size: Floats) -> tuple[Floats, Floats]:
    """a and b by the log odds of the mean and the logarithm of the concentration."""
    share = 1 / (1 + np.exp(-mean))
    return share * np.exp(size), (1 - share) * np.exp(size)


def _likelihood(mean: Floats, size: Floats, above: Sequence[Floats]) -> Floats:
    """The log likelihood at each place of a grid, less what no parameter changes."""
    a, b = _shape(mean, size)
    taken = np.arange(len(above[0]))
    right, wrong, all_of = (
        np.log(of[..., None] + taken) @ counts
        for of, counts in zip((a, b, a + b), above, strict=True)
    )
    return np.asarray(right + wrong - all_of, dtype=np.float64)
