"""Racing: who is far enough behind on the questions that both have answered is dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np

from .aim import Aim
from .trial import Trial, mean

__all__ = ["Race", "Test", "flip_test", "pairs", "wilcoxon"]

Test: TypeAlias = Callable[[Sequence[float]], float]
"""From the differences of pairs, how likely a sum as low as theirs is if signs were coin flips."""

_EXACT = 14
"""Differences up to which every way of flipping signs is counted."""


def flip_test(differences: Sequence[float]) -> float:
    """The one-sided sign-flip test of paired differences: small if they are below zero.

    Exact for few differences that are not zero, a normal approximation for more.

    >>> flip_test([-1, -1, -1, -1, 0])
    0.0625
    """
    told = np.asarray([d for d in differences if d], dtype=np.float64)
    if not len(told):
        return 1.0
    total = told.sum()
    if len(told) > _EXACT:
        return NormalDist().cdf(float(total / np.sqrt((told * told).sum())))
    signs = np.array([[1.0], [-1.0]])
    sums = np.zeros(1)
    for value in np.abs(told):
        sums = (sums + signs * value).ravel()
    return float((sums <= total + 1e-12).mean())


def wilcoxon(differences: Sequence[float]) -> float:
    """The one-sided Wilcoxon signed-rank test: the flip test of signed ranks, ties sharing theirs.

    It is what Optuna's `WilcoxonPruner` prunes by.
    """
    told = np.asarray([d for d in differences if d], dtype=np.float64)
    sizes = np.abs(told)
    below = (sizes[:, None] > sizes[None, :]).sum(axis=1)
    equal = (sizes[:, None] == sizes[None, :]).sum(axis=1)
    ranks = below + (equal + 1) / 2
    return flip_test(list(np.sign(told) * ranks))


def pairs(one: Trial, other: Trial, aim: Aim) -> list[float]:
    """The differences of an objective on the questions that both have answered."""
    both = zip(aim.over(one.marks), aim.over(other.marks), strict=False)
    return [a - b for a, b in both if a is not None and b is not None]


@dataclass(frozen=True, slots=True)
class Race:
    """Drops a trial at the error rate `alpha` for each look, after at least `least` questions.

    Each comparison has a question more that one side wins and one more that the other side wins:
    what was equal so far, or differed in cost alone, need not stay so, and few questions say
    little. With several objectives a trial is dropped if a rival is at least as good on average in
    all of them, and better by the test in one.
    """

    aims: tuple[Aim, ...]
    alpha: float = 0.1
    least: int = 8
    test: Test = flip_test

    def lost_to(self, trial: Trial, rivals: Sequence[Trial]) -> Trial | None:
        """The first rival that a trial has lost to, if any."""
        if len(trial.marks) < self.least:
            return None
        return next((rival for rival in rivals if self._lost(trial, rival)), None)

    def _lost(self, trial: Trial, rival: Trial) -> bool:
        told = [pairs(trial, rival, aim) for aim in self.aims]
        if trial.key == rival.key or any(len(differences) < self.least for differences in told):
            return False
        if any(mean(differences) > 0 for differences in told):
            return False
        level = self.alpha / len(told)
        return any(
            self.test([*differences, *_open(aim, differences)]) < level
            for aim, differences in zip(self.aims, told, strict=True)
        )


def _open(aim: Aim, differences: Sequence[float]) -> tuple[float, float]:
    """A question won and one lost: by a whole score, or by the most that costs differed."""
    size = 1.0 if aim.least is None else max(map(abs, differences))
    return size, -size
