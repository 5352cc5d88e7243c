"""Coverage, its fits, and what they foretell."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.evaluation.analysis.beta_binomial import BetaBinomial, fit_beta_binomial
from polyarch.evaluation.analysis.coverage import coverage, pass_at, spaced
from polyarch.evaluation.analysis.forecast import forecast
from polyarch.evaluation.analysis.power_law import fit_power_law
from polyarch.evaluation.intervals import wilson
from polyarch.evaluation.metrics.pass_at_k import pass_at_k


@given(st.integers(1, 40), st.data())
def test_pass_at_k_is_that_of_the_metric(draws: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, draws))
    told = pass_at([right], [draws], draws)[0]
    assert told == pytest.approx([pass_at_k(draws, right, k) for k in range(1, draws + 1)])


def test_coverage_is_the_share_of_all_sets_of_draws() -> None:
    drawn = [[True, False, False, True], [False] * 4, [False, True, False, False]]
    told = coverage([sum(own) for own in drawn], [4] * 3, ks=[1, 2, 3])
    for k, share in zip(told.ks, told.shares, strict=True):
        sets = [any(chosen) for own in drawn for chosen in combinations(own, k)]
        assert share.estimate == pytest.approx(np.mean(sets))
        assert share.low <= share.estimate <= share.high


def test_questions_with_uneven_draws_are_each_estimated_by_their_own() -> None:
    told = coverage([1, 5], [2, 10], ks=[2])
    assert told.shares[0].estimate == pytest.approx((1 + pass_at_k(10, 5, 2)) / 2)


def test_more_than_the_fewest_draws_cannot_be_told() -> None:
    with pytest.raises(ValueError, match="pass@3 cannot be told from 2 draws"):
        coverage([1, 1], [2, 10], ks=[3])


def test_no_question_solved_is_no_proof_that_none_can_be() -> None:
    never, always = coverage([0] * 20, [4] * 20, ks=[2]), coverage([4] * 20, [4] * 20, ks=[2])
    assert never.shares[0] == wilson(0, 20)
    assert always.shares[0] == wilson(20, 20)


def test_intervals_hold_the_true_coverage_as_often_as_they_say() -> None:
    rng, true, held = np.random.default_rng(3), BetaBinomial(0.4, 1.2), 0
    for trial in range(300):
        hits = rng.binomial(20, rng.beta(0.4, 1.2, size=100))
        share = coverage(hits.tolist(), [20] * 100, ks=[8], resamples=300, seed=trial).shares[0]
        held += share.low <= true.at(8) <= share.high
    assert 0.91 <= held / 300 <= 0.98


def test_a_power_law_is_found_again() -> None:
    ks = [1, 3, 10, 40]
    found = fit_power_law(ks, [float(np.exp(-1.5 * k**-0.4)) for k in ks])
    assert (found.a, found.b) == pytest.approx((-1.5, -0.4))
    assert found.at(1000) == pytest.approx(np.exp(-1.5 * 1000**-0.4))


def test_a_power_law_leaves_out_certainty_and_needs_two_points() -> None:
    whole = fit_power_law([1, 2, 4, 8], [0.2, 0.3, 0.4, 1.0])
    assert whole == fit_power_law([1, 2, 4], [0.2, 0.3, 0.4])
    with pytest.raises(ValueError, match="two ks"):
        fit_power_law([1, 2], [0.0, 0.5])


def test_a_beta_binomial_is_found_again() -> None:
    rng = np.random.default_rng(0)
    hits = rng.binomial(50, rng.beta(0.3, 1.1, size=20_000))
    found = fit_beta_binomial(hits.tolist(), [50] * len(hits))
    assert (found.a, found.b) == pytest.approx((0.3, 1.1), rel=0.03)
    assert found.at(200) == pytest.approx(BetaBinomial(0.3, 1.1).at(200), abs=0.005)


def test_the_beta_binomial_fit_is_at_the_top_of_its_likelihood() -> None:
    hits, draws = [0, 0, 1, 3, 7, 10], [10] * 6
    found = fit_beta_binomial(hits, draws)

    def slope(of: float, counts: list[int]) -> float:
        return sum(1 / (of + j) for count in counts for j in range(count))

    whole = slope(found.a + found.b, draws)
    assert slope(found.a, hits) == pytest.approx(whole, rel=1e-3)
    assert slope(found.b, [10 - hit for hit in hits]) == pytest.approx(whole, rel=1e-3)


def test_coverage_of_a_beta_binomial_in_closed_form() -> None:
    # Uniform chances: the mean of (1 - p)^k is 1 / (k + 1).
    assert [BetaBinomial(1, 1).at(k) for k in (1, 3, 9)] == pytest.approx([0.5, 0.75, 0.9])


def test_questions_that_nothing_solves_are_foretold_unsolved() -> None:
    assert fit_beta_binomial([0] * 30, [20] * 30).at(100) < 1e-3


def test_the_end_of_the_curve_is_foretold_from_its_start() -> None:
    rng = np.random.default_rng(5)
    right = rng.random((400, 100)) < rng.beta(0.3, 1.1, size=400)[:, None]
    told = forecast(right.tolist(), fit_on=20, k=100, resamples=100)
    assert told.seen is not None
    assert told.seen.estimate == pytest.approx(right.any(axis=1).mean())
    _, mixture = told.predicted
    assert mixture.fit == "beta-binomial"
    assert mixture.error is not None
    assert mixture.coverage is not None
    assert mixture.error.estimate == pytest.approx(
        mixture.coverage.estimate - told.seen.estimate, abs=1e-12
    )
    assert abs(mixture.error.estimate) < 0.03
    assert mixture.error.low < 0 < mixture.error.high


def test_a_forecast_looks_at_no_draw_held_out() -> None:
    start = [[True, False], [False, False], [False, True], [True, True]]
    some = forecast([[*own, False] for own in start], fit_on=2, k=3, resamples=20)
    other = forecast([[*own, True] for own in start], fit_on=2, k=3, resamples=20)
    assert [p.coverage for p in some.predicted] == [p.coverage for p in other.predicted]
    assert some.seen != other.seen


def test_beyond_the_draws_nothing_is_seen() -> None:
    told = forecast([[True, False], [False, False], [True, True]], fit_on=2, k=50, resamples=20)
    assert told.seen is None
    assert all(one.error is None for one in told.predicted)


def test_where_nothing_was_solved_there_is_no_power_law() -> None:
    law, mixture = forecast([[False] * 4] * 9, fit_on=2, k=4, resamples=20).predicted
    assert (law.coverage, law.error) == (None, None)
    assert mixture.coverage is not None
    assert mixture.coverage.high < 1e-3


def test_spacing_doubles_and_ends_at_the_most() -> None:
    assert [spaced(n) for n in (1, 2, 8, 9)] == [(1,), (1, 2), (1, 2, 4, 8), (1, 2, 4, 8, 9)]
