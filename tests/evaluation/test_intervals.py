"""Intervals cover what they promise, in simulation and at the edges."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from polyarch.evaluation import intervals
from polyarch.evaluation.intervals import (
    bootstrap,
    holm,
    paired_bootstrap,
    sign_test,
    wilson,
)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(intervals).failed == 0


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("total", [20, 50, 400])
def test_wilson_covers_the_true_share(share: float, total: int) -> None:
    drawn = np.random.default_rng(1).binomial(total, share, size=4_000)
    covered = [low <= share <= high for _, low, high in (wilson(int(k), total) for k in drawn)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize("total", [1, 7, 50])
def test_wilson_stays_within_bounds_and_holds_its_estimate(total: int) -> None:
    for successes in range(total + 1):
        estimate, low, high = wilson(successes, total)
        assert 0 <= low <= estimate <= high <= 1
        assert high - low > 0


def test_wilson_is_symmetric_and_narrows() -> None:
    _, low, high = wilson(3, 10)
    _, mirrored_low, mirrored_high = wilson(7, 10)
    assert (low, high) == pytest.approx((1 - mirrored_high, 1 - mirrored_low))
    assert wilson(30, 100).low > low
    assert wilson(3, 10, level=0.99).low < low


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(successes: int, total: int) -> None:
    with pytest.raises(ValueError, match="not a share"):
        wilson(successes, total)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_lies_between_0_and_1(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        wilson(1, 2, level=level)
    with pytest.raises(ValueError, match="level"):
        paired_bootstrap([1.0], [0.0], level=level)


def test_the_paired_bootstrap_covers_the_true_difference() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for trial in range(400):
        hardness = rng.random(80)
        one = (rng.random(80) < 0.9 - 0.4 * hardness).astype(float)
        other = (rng.random(80) < 0.7 - 0.4 * hardness).astype(float)
        _, low, high = paired_bootstrap(list(one), list(other), resamples=500, seed=trial)
        covered += low <= 0.2 <= high
    assert covered / 400 == pytest.approx(0.95, abs=0.04)


def test_pairing_takes_out_how_hard_the_items_are() -> None:
    rng = np.random.default_rng(3)
    hardness = rng.normal(size=200)
    one, other = list(hardness + 0.1), list(hardness)
    estimate, low, high = paired_bootstrap(one, other)
    assert (estimate, low, high) == pytest.approx((0.1, 0.1, 0.1))


def test_equal_seeds_give_equal_intervals() -> None:
    one, other = [1.0, 0.0, 1.0, 1.0, 0.0] * 8, [0.0, 0.0, 1.0, 0.0, 1.0] * 8
    assert paired_bootstrap(one, other, seed=5) == paired_bootstrap(one, other, seed=5)
    assert paired_bootstrap(one, other, seed=5) != paired_bootstrap(one, other, seed=6)


def test_resampling_in_parts_gives_as_many_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = [1.0, 0.0, 1.0], [0.0, 0.0, 1.0]
    monkeypatch.setattr(intervals, "_AT_ONCE", 7)
    estimate, low, high = paired_bootstrap(one, other, resamples=101)
    assert low <= estimate <= high


@pytest.mark.parametrize(("one", "other"), [([], []), ([1.0], [1.0, 0.0])])
def test_scores_that_do_not_pair_are_refused(one: list[float], other: list[float]) -> None:
    with pytest.raises(ValueError, match="pairs"):
        paired_bootstrap(one, other)


@pytest.mark.parametrize(
    ("wins", "losses", "p"), [(0, 0, 1.0), (5, 5, 1.0), (5, 0, 0.0625), (0, 6, 0.03125)]
)
def test_the_sign_test_is_exact(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == p
    assert sign_test(losses, wins) == p


def test_the_sign_test_rejects_a_fair_coin_no_more_often_than_it_says() -> None:
    wins = np.random.default_rng(4).binomial(40, 0.5, size=4_000)
    rejected = [sign_test(int(w), 40 - int(w)) < 0.05 for w in wins]
    assert np.mean(rejected) <= 0.05


def test_the_sign_test_refuses_what_cannot_be_counted() -> None:
    with pytest.raises(ValueError, match="counted"):
        sign_test(-1, 2)


@pytest.mark.parametrize("values", [(0.0, 1.0), (-1.0, 0.0, 1.0), tuple(np.linspace(0, 1, 21))])
def test_the_bootstrap_covers_the_true_mean(values: tuple[float, ...]) -> None:
    rng, covered = np.random.default_rng(2), []
    chances = rng.dirichlet(np.full(len(values), 5.0))
    mean = float(np.dot(values, chances))
    for _ in range(400):
        _, low, high = bootstrap(rng.choice(values, p=chances, size=200), resamples=1_000)
        covered.append(low <= mean <= high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.035)


def test_the_bootstrap_of_differences_is_the_paired_one() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.integers(2, size=500), rng.integers(2, size=500)
    paired = paired_bootstrap(one.tolist(), other.tolist())
    assert bootstrap((one - other).tolist()) == pytest.approx(paired, abs=0.005)
    with pytest.raises(ValueError, match="no scores"):
        bootstrap([])


def test_holm_keeps_the_order_and_never_falls() -> None:
    assert holm([0.04, 0.01, 0.5]) == pytest.approx([0.08, 0.03, 0.5])
    assert holm([0.6, 0.6]) == [1.0, 1.0]
