"""How sure a measured number is: intervals of shares and differences, and a paired test."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

__all__ = ["Interval", "bootstrap", "holm", "paired_bootstrap", "sign_test", "wilson"]

_AT_ONCE = 1 << 22
"""Numbers drawn at once when resampling, so that memory stays bounded."""


class Interval(NamedTuple):
    """An estimate and the bounds that hold it at the level asked for."""

    estimate: float
    low: float
    high: float


def wilson(successes: int, total: int, *, level: float = 0.95) -> Interval:
    """The Wilson score interval of a share.

    Unlike the normal approximation it stays within 0 and 1, and says something at 0 and at 1.

    >>> "{:.3f} {:.3f} {:.3f}".format(*wilson(45, 50))
    '0.900 0.786 0.957'
    """
    if total < 1 or not 0 <= successes <= total:
        raise ValueError(f"{successes} of {total} is not a share")
    z = _quantile(level)
    share = successes / total
    middle = share + z * z / (2 * total)
    margin = z * sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2)
    scale = 1 + z * z / total
    # Rounding may leave the share itself just outside at 0 and 1.
    low, high = (middle - margin) / scale, (middle + margin) / scale
    return Interval(share, max(0.0, min(low, share)), min(1.0, max(high, share)))


def paired_bootstrap(
    one: Sequence[float],
    other: Sequence[float],
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """The percentile bootstrap interval of the mean of `one` less that of `other`, item by item.

    Both are scores of the same items in the same order: pairing takes out how hard the items are,
    which two separate intervals cannot. Equal seeds give equal intervals.
    """
    _quantile(level)
    if len(one) != len(other) or not one:
        raise ValueError(f"{len(one)} and {len(other)} scores do not make pairs")
    differences = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    rng = np.random.default_rng(seed)
    count = len(differences)
    rows = max(1, _AT_ONCE // count)
    means = np.concatenate(
        [
            differences[rng.integers(count, size=(min(rows, resamples - done), count))].mean(axis=1)
            for done in range(0, resamples, rows)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(differences.mean()), float(low), float(high))


def sign_test(wins: int, losses: int) -> float:
    """The two-sided p-value of a difference this large if wins and losses were a fair coin.

    With right and wrong answers this is McNemar's exact test; ties are left out.

    >>> sign_test(9, 1)
    0.021484375
    """
    if wins < 0 or losses < 0:
        raise ValueError(f"{wins} wins and {losses} losses cannot be counted")
    count, fewer = wins + losses, min(wins, losses)
    tail = sum(comb(count, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << count))


def _quantile(level: float) -> float:
    """How many standard deviations either side hold so much of a normal distribution."""
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, {level} does not")
    return NormalDist().inv_cdf((1 + level) / 2)


def bootstrap(
    scores: Sequence[float], *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """The percentile bootstrap interval of the mean of scores. Equal seeds give equal intervals.

    A resample of scores is drawn by how often each value occurs in it, which for few distinct
    values takes no longer for a million scores than for ten.
    """
    _quantile(level)
    if not len(scores):
        raise ValueError("no scores, no mean")
    given = np.asarray(scores, dtype=np.float64)
    values, counts = np.unique(given, return_counts=True)
    rng = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // len(values))
    means = np.concatenate(
        [
            rng.multinomial(len(given), counts / len(given), min(rows, resamples - done)) @ values
            for done in range(0, resamples, rows)
        ]
    ) / len(given)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(given.mean()), float(low), float(high))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for how many there are, by Holm's step-down method.

    >>> holm([0.01, 0.04])
    [0.02, 0.04]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
