"""What rules of choosing make of n draws: one draw, plurality, the best score, the best draw."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

from .coverage import Floats

__all__ = ["best_of", "plurality_of"]

_AT_ONCE = 1 << 22
"""Numbers counted at once, so that memory stays bounded."""


def best_of(scores: Floats, right: NDArray[np.bool_], most: int) -> Floats:
    """How often the best scored of n draws of a question is right, for n = 1 … `most`.

    Exact over all sets of n of its draws; of equal scores each is as likely. A draw without a score
    (NaN) is the worst. Raises ValueError for more than there are.

    >>> best_of(np.array([0.9, 0.1]), np.array([False, True]), 2).tolist()
    [0.5, 0.0]
    """
    count = len(scores)
    if not 1 <= most <= count:
        raise ValueError(f"best of {most} cannot be told from {count} draws")
    levels, place = np.unique(np.nan_to_num(scores, nan=-np.inf), return_inverse=True)
    sizes = np.bincount(place, minlength=len(levels))
    shares = np.bincount(place, weights=right, minlength=len(levels)) / sizes
    below = np.concatenate([[0], np.cumsum(sizes)])
    sets = [[comb(int(size), n) for size in below] for n in range(1, most + 1)]
    chances = [np.diff(np.array([s / own[-1] for s in own])) for own in sets]
    return np.asarray([chance @ shares for chance in chances])


def plurality_of(
    groups: NDArray[np.int64],
    right: NDArray[np.bool_],
    ns: tuple[int, ...],
    orders: NDArray[np.int64],
) -> Floats:
    """How often the most frequent of n answers is right, for each of `ns`.

    The mean over `orders`, each an order of the draws whose first n vote. Of answers that tie, each
    is as likely; *no answer* does not vote, and where nothing does the question counts as wrong.
    """
    kinds = int(groups.max(initial=-1)) + 1
    if not kinds:
        return np.zeros(len(ns))
    voting = np.where(groups < 0, kinds, groups)
    sizes = np.maximum(np.bincount(voting, minlength=kinds + 1)[:kinds], 1)
    shares = np.bincount(voting, weights=right, minlength=kinds + 1)[:kinds] / sizes
    rows = max(1, _AT_ONCE // (max(ns) * (kinds + 1)))
    drawn = voting[orders[:, : max(ns)]]
    parts = [_elected(drawn[at : at + rows], shares, ns) for at in range(0, len(orders), rows)]
    return np.asarray(np.sum(parts, axis=0) / len(orders), dtype=np.float64)


def _elected(drawn: NDArray[np.int64], shares: Floats, ns: tuple[int, ...]) -> Floats:
    """How right the winners of the first n votes are, for each of `ns`, summed over orders."""
    kinds = len(shares)
    cast = np.zeros((*drawn.shape, kinds + 1), dtype=np.int32)
    np.put_along_axis(cast, drawn[..., None], 1, axis=2)
    votes = np.cumsum(cast[..., :kinds], axis=1, dtype=np.int32)[:, np.asarray(ns) - 1]
    most = votes.max(axis=2, keepdims=True)
    winning = (votes == most) & (most > 0)
    chosen = (winning * shares).sum(axis=2) / np.maximum(winning.sum(axis=2), 1)
    return np.asarray(chosen.sum(axis=0), dtype=np.float64)
