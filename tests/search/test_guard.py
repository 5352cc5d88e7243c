"""The guard of held-back questions: what asking it often can spoil."""

from __future__ import annotations

from random import Random
from statistics import mean

import pytest

from polyarch.search.guard import ANSWERS, Guard, guard_of

_TRUTH = 0.5


def _arm(dice: Random, seen: int, held: int) -> tuple[float, float]:
    """The means of a pipeline that is right half of the time, whatever is chosen."""
    return (
        sum(dice.random() < _TRUTH for _ in range(seen)) / seen,
        sum(dice.random() < _TRUTH for _ in range(held)) / held,
    )


def _session(seed: int) -> tuple[float, float]:
    """A search that is taken up eight times, each with 40 more points that are all the same: what
    it believes of its best, and the best that the guard ever said."""
    dice, guard = Random(seed), guard_of(400)
    arms: list[tuple[float, float]] = []
    told = []
    for _ in range(ANSWERS):
        arms += [_arm(dice, 100, 400) for _ in range(40)]
        told.append(guard.answer(*max(arms), dice).value)
    return max(arms)[0], max(told)


def test_of_pure_noise_the_search_believes_a_gain_and_the_guard_keeps_its_bound() -> None:
    naive, guarded = zip(*map(_session, range(40)), strict=True)
    guard = guard_of(400)
    assert mean(naive) - _TRUTH > 0.12
    assert mean(guarded) - _TRUTH < guard.threshold
    # One and a half thresholds from the held-back mean, which itself is off by one more at most
    # in nineteen of twenty.
    bound = 2.5 * guard.threshold
    assert sum(abs(value - _TRUTH) <= bound for value in guarded) >= 38


def test_what_is_not_fitted_is_told_without_noise() -> None:
    dice, guard = Random(1), Guard(0.05, 0.001)
    assert guard.answer(0.7, 0.69, dice).value == 0.7
    told = guard.answer(0.9, 0.6, dice)
    assert told.fitted
    assert told.value == pytest.approx(0.6, abs=0.02)


def test_a_larger_holdout_has_a_sharper_guard() -> None:
    assert guard_of(100).threshold == pytest.approx(0.1)
    assert guard_of(400).threshold == pytest.approx(0.05)
