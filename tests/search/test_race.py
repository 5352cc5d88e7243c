"""Races drop who is behind on the same questions, and nobody else."""

from __future__ import annotations

from random import Random

import pytest

from polyarch.search.aim import Aim
from polyarch.search.mark import Mark
from polyarch.search.race import Race, flip_test, wilcoxon
from polyarch.search.trial import Trial


def trial(number: int, scores: list[float | None], calls: int = 1) -> Trial:
    return Trial(number, {"hole": number}, tuple(Mark(score, calls) for score in scores))


def test_few_differences_are_counted_exactly() -> None:
    assert flip_test([-1] * 5) == 1 / 32
    assert flip_test([1] * 5) == 1.0
    assert flip_test([-2, 1]) == 0.5
    assert flip_test([0, 0]) == 1.0


def test_many_differences_of_equals_are_seldom_below_the_level() -> None:
    dice = Random(3)
    low = sum(flip_test([dice.choice((-1, 0, 1)) for _ in range(60)]) < 0.05 for _ in range(400))
    assert 5 <= low <= 35


def test_wilcoxon_counts_ranks() -> None:
    assert wilcoxon([-5, -4, -3, 1]) == 2 / 16
    assert wilcoxon([0.5, 0.5]) == 1.0


def test_a_loser_is_dropped_and_ties_stay() -> None:
    race = Race((Aim(),))
    best, same = trial(1, [1] * 12), trial(2, [1] * 12)
    worse = trial(3, [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
    assert race.lost_to(worse, [best]) == best
    assert race.lost_to(same, [best]) is None
    assert race.lost_to(best, [worse]) is None
    assert race.lost_to(best, [best]) is None


def test_who_only_costs_more_is_not_dropped_on_few_questions() -> None:
    aim = Aim((("calls", 0.001),))
    race = Race((aim,))
    for count, dropped in ((8, False), (5000, True)):
        cheap, dear = trial(1, [1, 0] * (count // 2), calls=4), trial(2, [1, 0] * (count // 2), 60)
        assert (race.lost_to(dear, [cheap]) is not None) == dropped


def test_nobody_is_dropped_before_enough_questions() -> None:
    assert Race((Aim(),)).lost_to(trial(2, [0] * 7), [trial(1, [1] * 12)]) is None


def test_a_question_that_was_not_scored_is_compared_by_nobody() -> None:
    none: list[float | None] = [None]
    gone = trial(2, [*none * 4, *[1.0] * 8])
    assert Race((Aim(),)).lost_to(gone, [trial(1, [1.0] * 12)]) is None


@pytest.mark.parametrize(("calls", "dropped"), [(9, True), (2, False)])
def test_with_two_objectives_only_who_is_behind_in_both(calls: int, dropped: bool) -> None:
    race = Race((Aim(), Aim(least="calls")))
    rival = trial(1, [1] * 12, calls=4)
    worse = trial(2, [1] * 4 + [0] * 8, calls=calls)
    assert (race.lost_to(worse, [rival]) is not None) == dropped


def test_an_aim_takes_off_what_costs() -> None:
    aim = Aim((("calls", 0.01), ("tokens", 0.001)))
    assert aim.of(Mark(1.0, calls=10, tokens=100)) == pytest.approx(0.8)
    assert aim.of(Mark(None)) is None
    assert Aim(least="usd").of(Mark(None, usd=2.0)) == -2.0
