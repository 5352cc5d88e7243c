"""Audits of verifiers, drawing until one accepts, and answering only when sure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.evaluation.analysis.resampling import resampling
from polyarch.evaluation.analysis.selective import binomial_tail, selective, threshold_for
from polyarch.evaluation.analysis.verifier import auc, verifier


def test_error_rates_at_a_threshold() -> None:
    told = verifier(
        [np.array([0.9, 0.2, 0.8]), np.array([0.6, 0.1, np.nan])],
        [np.array([True, True, False]), np.array([True, False, True])],
        threshold=0.5,
    )
    assert told.true_positive is not None
    assert told.false_positive is not None
    assert told.precision is not None
    assert told.true_positive.estimate == pytest.approx(2 / 3)
    assert told.false_positive.estimate == 0.5
    assert told.precision.estimate == pytest.approx(2 / 3)
    assert (told.draws, told.items) == (5, 2)
    assert told.auc is not None
    assert told.auc.estimate == pytest.approx(4 / 6)
    assert told.auc_within is not None
    assert told.auc_within.estimate == pytest.approx((0.5 + 1) / 2)


def test_a_threshold_is_chosen_and_says_so() -> None:
    scores, right = [np.array([0.1, 0.4, 0.6, 0.9])], [np.array([False, False, True, True])]
    told = verifier(scores, right)
    assert told.threshold == 0.6
    assert "chosen on these draws" in told.assumes[-1]
    assert not any("chosen" in one for one in verifier(scores, right, threshold=0.6).assumes)


def test_rates_of_zero_and_one_have_the_width_of_their_questions_not_of_their_draws() -> None:
    many = verifier([np.ones(1000)] * 5, [np.ones(1000, dtype=bool)] * 5, threshold=0.5)
    assert many.true_positive is not None
    assert many.true_positive.low < 0.6
    assert many.false_positive is None
    assert many.auc is None


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=12).filter(
        lambda own: 0 < sum(hit for _, hit in own) < len(own)
    )
)
def test_auc_is_the_share_of_pairs_won(draws: list[tuple[int, bool]]) -> None:
    good = [score for score, hit in draws if hit]
    bad = [score for score, hit in draws if not hit]
    won = sum((g > b) + (g == b) / 2 for g in good for b in bad) / (len(good) * len(bad))
    told = auc(np.array([float(s) for s, _ in draws]), np.array([hit for _, hit in draws]))
    assert told == pytest.approx(won)


def test_intervals_of_rates_hold_under_draws_that_depend_on_their_question() -> None:
    rng, held = np.random.default_rng(1), 0
    for trial in range(200):
        rate = rng.beta(2, 2, size=80)
        scores = [(rng.random(10) < own).astype(float) for own in rate]
        told = verifier(scores, [np.ones(10, dtype=bool)] * 80, threshold=0.5, seed=trial)
        assert told.true_positive is not None
        held += told.true_positive.low <= 0.5 <= told.true_positive.high
    assert 0.90 <= held / 200 <= 0.99


def test_resampling_of_one_question_in_closed_form() -> None:
    told = resampling([0.3], true_positive=0.8, false_positive=0.1, most=5, cost=0.01)
    q = 0.3 * 0.8 + 0.7 * 0.1
    assert told.answered == pytest.approx([1 - (1 - q) ** k for k in range(1, 6)])
    assert told.precision == pytest.approx([0.24 / q] * 5)
    assert told.ceiling == pytest.approx(0.24 / q)
    assert told.value[0] == pytest.approx(0.24 - 0.01)


def test_resampling_agrees_with_a_simulation() -> None:
    rng, p = np.random.default_rng(0), np.array([0.05, 0.4, 0.9])
    right = rng.random((20_000, 3, 4)) < p[:, None]
    accepted = rng.random(right.shape) < np.where(right, 0.9, 0.2)
    first = np.where(accepted.any(axis=2), accepted.argmax(axis=2), -1)
    hits = np.take_along_axis(right, np.maximum(first, 0)[..., None], axis=2)[..., 0] & (first >= 0)
    told = resampling(p, true_positive=0.9, false_positive=0.2, most=4)
    assert told.accuracy[-1] == pytest.approx(hits.mean(), abs=0.005)
    assert told.answered[-1] == pytest.approx((first >= 0).mean(), abs=0.005)


def test_a_price_on_wrong_answers_makes_two_attempts_the_best() -> None:
    chances = np.random.default_rng(0).beta(0.5, 1.5, size=50_000)
    told = resampling(chances, true_positive=0.95, false_positive=0.15, penalty=1.0)
    assert told.best == 2
    assert resampling(chances, true_positive=0.95, false_positive=0.15).best == 100
    assert told.accuracy[-1] < told.ceiling < 1
    assert list(told.precision) == sorted(told.precision, reverse=True)


def test_a_question_that_is_never_accepted_costs_every_draw() -> None:
    told = resampling([0.0], true_positive=1.0, false_positive=0.0, most=3, cost=0.1)
    assert told.value == pytest.approx([-0.1, -0.2, -0.3])
    assert (told.precision, told.ceiling, told.best) == ((0.0, 0.0, 0.0), 0.0, 1)


def test_risk_falls_with_coverage_and_ties_come_in_together() -> None:
    told = selective([0.9, 0.8, 0.8, 0.1], [True, True, False, False], points=4)
    assert told.risks == pytest.approx([0, 0.25, 1 / 3, 0.5])
    assert told.aurc == pytest.approx((0 + 0.25 + 1 / 3 + 0.5) / 4)
    assert told.best == pytest.approx((1 / 3 + 2 / 4) / 4)
    assert told.chance == 0.5


def test_a_threshold_keeps_its_risk_in_all_but_delta_of_trials() -> None:
    rng, broken, found = np.random.default_rng(2), 0, 0
    for _ in range(400):
        sure = rng.random(400)
        told = threshold_for(sure, rng.random(400) < sure, risk=0.2, delta=0.1)
        # Above t the true risk is the mean of 1 - sure: (1 - t) / 2.
        broken += told is not None and (1 - told.confidence) / 2 > 0.2
        found += told is not None
    assert found > 300
    assert broken / 400 <= 0.12


def test_too_few_answers_are_sure_of_nothing() -> None:
    assert threshold_for([0.9] * 10, [True] * 10, risk=0.05) is None
    told = threshold_for([0.9] * 59, [True] * 59, risk=0.05)
    assert told is not None
    assert (told.confidence, told.coverage, told.seen) == (0.9, 1.0, 0.0)


@given(st.integers(1, 30), st.data())
def test_binomial_tail_is_that_of_counting(total: int, data: st.DataObject) -> None:
    from math import comb

    successes = data.draw(st.integers(0, total))
    told = sum(comb(total, k) * 0.3**k * 0.7 ** (total - k) for k in range(successes + 1))
    assert binomial_tail(successes, total, 0.3) == pytest.approx(told)
