"""Draws stop where one more is not worth its cost."""

from __future__ import annotations

from math import sqrt
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.compiler.errors import InputError
from polyarch.compiler.fitted import Data
from polyarch.evaluation.fitting import About, Seen, fit_stopping
from polyarch.evaluation.fitting.stopping import calibrated, stopping_value

ABOUT = About("2026-01-01", "p", Data(file="d.jsonl", sha256="0" * 64, items=3), {})


def known(dice: Random, count: int) -> list[Seen]:
    """Candidates whose score is the root of their chance of being right."""
    kept = [(chance, dice.random() < chance) for chance in (dice.random() for _ in range(count))]
    return [Seen("", {}, {}, right, kept=[({"s": sqrt(c)}, right)]) for c, right in kept]


@pytest.mark.parametrize("cost", [0.02, 0.08])
def test_the_stopping_value_is_that_of_calibrated_scores_and_is_met(cost: float) -> None:
    fitted = fit_stopping(known(Random(1), 5000), ABOUT, "s", cost)
    # Of chances spread evenly, the mean of max(chance - z, 0) is (1 - z)² / 2.
    best = 1 - sqrt(2 * cost)
    assert fitted.value == pytest.approx(best, abs=0.03)
    assert fitted.at_least == pytest.approx(sqrt(best), abs=0.05)
    dice = Random(2)

    def gain(least: float) -> float:
        """What one question brings: draws until the score is high enough, less what they cost."""
        draws, chance = 1, dice.random()
        while sqrt(chance) < least:
            draws, chance = draws + 1, dice.random()
        return chance - cost * draws

    means = {
        least: fmean(gain(least) for _ in range(20_000))
        for least in (fitted.at_least, fitted.at_least - 0.25, min(0.995, fitted.at_least + 0.1))
    }
    # The value of the best rule is the stopping value itself (Weitzman, 1979).
    assert means[fitted.at_least] == pytest.approx(best, abs=0.02)
    assert means[fitted.at_least] == max(means.values())


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_calibration_rises_keeps_the_mean_and_is_shared_by_equals(
    told: list[tuple[int, bool]],
) -> None:
    told.sort(key=lambda one: one[0])
    scores, right = [float(s) for s, _ in told], [r for _, r in told]
    chances = calibrated(scores, right)
    assert chances == sorted(chances)
    assert fmean(chances) == pytest.approx(fmean(right))
    by_score = dict(zip(scores, chances, strict=True))
    assert [by_score[score] for score in scores] == chances


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0.001, 1))
def test_one_more_draw_brings_its_cost_at_the_stopping_value(
    chances: list[float], cost: float
) -> None:
    value = stopping_value(chances, cost)
    assert fmean(max(c - value, 0.0) for c in chances) == pytest.approx(cost, abs=1e-6)


def test_too_few_are_told() -> None:
    with pytest.raises(InputError, match="let `output:` keep all"):
        fit_stopping(known(Random(1), 5), ABOUT, "s", 0.1)
