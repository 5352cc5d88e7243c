"""What is fitted keeps what it promises, and says what it was fitted to."""

from __future__ import annotations

from math import log
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyarch.compiler.errors import InputError
from polyarch.compiler.fitted import Data, fitted
from polyarch.evaluation.fitting import (
    About,
    Promise,
    Seen,
    fit_router,
    fit_threshold,
    fit_weights,
    share_wrong,
)
from polyarch.ops.router import Router

ABOUT = About(
    "2026-01-01",
    "p",
    Data(file="d.jsonl", sha256="0" * 64, items=3),
    {"weak": "x/w", "strong": "x/s"},
)


def test_weights_are_log_odds_and_never_below_nothing() -> None:
    drawn = {"weak": [False], "strong": [True, True]}
    seen = [Seen("", drawn, {}, True, (0, 0)) for _ in range(3)]
    assert fit_weights(seen, ABOUT).weights == {"weak": 0.0, "strong": pytest.approx(log(7))}
    # Where wrong answers differ, one that is seldom right still says something.
    spread = [Seen("", drawn, {}, True, (1, 10)) for _ in range(3)]
    alike = 4 / 31
    expected = {"weak": log(1 / 4 / alike), "strong": log(7 / alike)}
    assert fit_weights(spread, ABOUT).weights == pytest.approx(expected)
    with pytest.raises(InputError, match="no model"):
        fit_weights([Seen("", {}, {}, True)], ABOUT)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 60), st.integers(1, 60))
def test_the_bound_is_the_exact_one(wrong: int, more: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    total = wrong + more
    assert share_wrong(wrong, total, 0.95) == pytest.approx(
        stats.beta.ppf(0.95, wrong + 1, total - wrong), abs=1e-6
    )


def calibrated(dice: Random, count: int) -> list[Seen]:
    """Answers that are right as often as their score says."""
    scores = [dice.random() for _ in range(count)]
    return [Seen("", {}, {"vote": score}, dice.random() < score) for score in scores]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_threshold_seldom_breaks_its_promise(seed: int) -> None:
    found = fit_threshold(calibrated(Random(seed), 2000), ABOUT, Promise("vote", 0.2, 0.99))
    # Of scores above t, answers are wrong with (1 - t) / 2 on average.
    assert (1 - found.at_least) / 2 <= 0.2
    assert 0 < found.answered < 1


def test_a_promise_that_cannot_be_kept_is_an_error() -> None:
    with pytest.raises(InputError, match="no threshold on 'vote'"):
        fit_threshold(calibrated(Random(1), 10), ABOUT, Promise("vote", 0.01, 0.99))


def needing(index: int) -> Seen:
    """Long questions need the strong model."""
    hard = index % 2 == 1
    text = "If 3 of 4 apples cost 5, how much are 6 if 2 are bad?" if hard else "What is 2 + 2?"
    return Seen(text, {"weak": [not hard], "strong": [True]}, {}, True)


def test_a_router_learns_what_the_weak_model_cannot_do() -> None:
    pytest.importorskip("sklearn")
    made = fit_router([needing(i) for i in range(40)], ABOUT, ("weak", "strong"), 0.5)
    router = Router(by=made)
    easy, hard = (router.chance(needing(i).text) for i in (0, 1))
    assert easy <= made.threshold
    assert hard > easy
    assert fitted(made.model_dump_json()) == made
    with pytest.raises(InputError, match="'strong' alone is right on 0 of 20"):
        fit_router([needing(2 * i) for i in range(20)], ABOUT, ("weak", "strong"), 0.5)
