"""What is chosen among the first draws of a question, and how sure it is: at several numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .coverage import Floats, spaced
from .draws import Draws

__all__ = ["Decided", "decided"]


@dataclass(frozen=True, slots=True)
class Decided:
    """The answer chosen among `ns` draws of each question, in several orders of them.

    `sure` and `right` are of shape (questions, numbers, orders): the confidence, minus infinity
    where there is nothing to choose, and how right the answer is, a share where several tie.
    """

    items: tuple[str, ...]
    ns: tuple[int, ...]
    sure: Floats
    right: Floats


def decided(draws: Draws, score: str | None, *, orders: int = 32, seed: int = 0) -> Decided:
    """Choose by a score, the best one being the confidence, or without one by plurality, whose
    share of the draws is. Raises ValueError where a question has fewer than two draws."""
    most = min(draws.counts, default=0)
    if most < 2:
        raise ValueError("what more draws bring needs two of each question")
    rng = np.random.default_rng(seed)
    ns = spaced(most)
    sure = np.empty((len(draws.items), len(ns), orders))
    right = np.empty_like(sure)
    for place, (groups, good) in enumerate(zip(draws.groups, draws.right, strict=True)):
        order = rng.permuted(np.tile(np.arange(len(good)), (orders, 1)), axis=1)[:, :most]
        if score is None:
            sure[place], right[place] = _by_votes(groups[order], good[order], ns)
        else:
            sure[place], right[place] = _by_score(
                draws.scores[score][place][order], good[order], ns
            )
    return Decided(draws.items, ns, sure, right)


def _by_score(
    scores: Floats, right: NDArray[np.bool_], ns: tuple[int, ...]
) -> tuple[Floats, Floats]:
    known = np.where(np.isnan(scores), -np.inf, scores)
    sure, good = [], []
    for n in ns:
        top = known[:, :n].max(axis=1)
        tied = known[:, :n] == top[:, None]
        sure.append(top)
        good.append((tied * right[:, :n]).sum(axis=1) / tied.sum(axis=1))
    return np.asarray(sure), np.asarray(good)


def _by_votes(
    groups: NDArray[np.int64], right: NDArray[np.bool_], ns: tuple[int, ...]
) -> tuple[Floats, Floats]:
    # How many of the first draws say what each of them says, *no answer* being no vote.
    same = (groups[:, :, None] == groups[:, None, :]) & (groups >= 0)[:, :, None]
    sure, good = [], []
    for n in ns:
        votes = same[:, :n, :n].sum(axis=2)
        top = votes.max(axis=1)
        # Of tied answers each counts once, though its draws are as many as its votes.
        tied = votes == top[:, None]
        sure.append(np.where(top > 0, top / n, -np.inf))
        good.append((tied * right[:, :n]).sum(axis=1) / tied.sum(axis=1))
    return np.asarray(sure), np.asarray(good)
