"""Coverage: the share of questions that at least one of k draws gets right, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..intervals import Interval, wilson

__all__ = ["Coverage", "Floats", "coverage", "curves", "pass_at", "spaced"]

Floats = NDArray[np.float64]

_ASSUMES = (
    "draws of a question are independent and alike",
    "intervals are over questions drawn at random, not over draws",
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """`shares` hold, for each of `ks` draws, the coverage with its interval over `items`."""

    ks: tuple[int, ...]
    shares: tuple[Interval, ...]
    items: int
    assumes: tuple[str, ...] = _ASSUMES


def coverage(
    right: Sequence[int],
    draws: Sequence[int],
    *,
    ks: Sequence[int] = (),
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Coverage:
    """The unbiased coverage curve of questions with so many `right` among so many `draws`.

    `ks` default to powers of two up to the fewest draws of a question. Intervals are percentile
    bootstraps over questions, Wilson's at 0 and 1. Evaluating Large Language Models Trained on Code
    (Chen et al., 2021). Raises ValueError for counts that cannot be and for a k above the fewest
    draws.
    """
    least = min(draws, default=0)
    ks = tuple(ks) or spaced(least)
    whole = pass_at(right, draws, max(ks, default=1))
    places = np.asarray(ks) - 1
    drawn = np.quantile(
        curves(whole, resamples, seed)[:, places], [(1 - level) / 2, (1 + level) / 2], axis=0
    )
    means = whole.mean(axis=0)[places]
    shares = [
        _share(*map(float, of), items=len(whole), level=level)
        for of in zip(means, *drawn, strict=True)
    ]
    return Coverage(ks, tuple(shares), len(whole))


def _share(share: float, low: float, high: float, *, items: int, level: float) -> Interval:
    """A share with its bounds; at 0 and 1, where resamples are all alike, those of a share."""
    if share in (0.0, 1.0):
        return wilson(round(share) * items, items, level=level)
    return Interval(share, low, high)


def pass_at(right: Sequence[int], draws: Sequence[int], most: int) -> Floats:
    """Unbiased pass@k of each question (rows) for k = 1 … `most` (columns).

    >>> pass_at([1], [4], 4).tolist()
    [[0.25, 0.5, 0.75, 1.0]]
    """
    hits, total = np.asarray(right, dtype=np.int64), np.asarray(draws, dtype=np.int64)
    if not len(hits) or hits.shape != total.shape or np.any(hits < 0) or np.any(hits > total):
        raise ValueError("each question needs draws, and at most as many right ones")
    if not 1 <= most <= total.min():
        raise ValueError(f"pass@{most} cannot be told from {total.min()} draws of a question")
    taken = np.arange(most)
    wrong = np.maximum(total[:, None] - hits[:, None] - taken, 0)
    return 1.0 - np.cumprod(wrong / (total[:, None] - taken), axis=1)


def curves(whole: Floats, resamples: int, seed: int) -> Floats:
    """Mean curves of resamples of the questions; equal seeds resample the same questions."""
    count = len(whole)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    return np.asarray(drawn @ whole / count, dtype=np.float64)


def spaced(most: int) -> tuple[int, ...]:
    """Powers of two up to `most`, and `most` itself.

    >>> spaced(10)
    (1, 2, 4, 8, 10)
    """
    ks = [1 << place for place in range(most.bit_length()) if 1 << place < most]
    return (*ks, most)
