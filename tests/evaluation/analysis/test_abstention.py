"""Draws and threshold chosen together: what is known in advance is found, and held-out halves are
told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.evaluation.analysis.abstention import abstention
from polyarch.evaluation.analysis.decided import Decided, decided
from polyarch.evaluation.analysis.draws import Draw, Draws, gathered


def drawn(*questions: Sequence[tuple[str | None, bool]], scores: Sequence[float] = ()) -> Draws:
    given = [
        Draw("m", f"q{n}", answer, right, {"p": scores[place]} if scores else {})
        for n, own in enumerate(questions)
        for place, (answer, right) in enumerate(own)
    ]
    return gathered(given)[0]


def test_a_vote_is_as_sure_as_its_share_and_ties_are_shared() -> None:
    right, wrong, none = ("1", True), ("2", False), (None, False)
    told = decided(drawn([right, right], [right, wrong], [wrong, none], [none, none]), None)
    assert told.ns == (1, 2)
    assert told.sure[:, 1].T.tolist() == [[1.0, 0.5, 0.5, -np.inf]] * 32
    assert told.right[:, 1].T.tolist() == [[1.0, 0.5, 0.0, 0.0]] * 32
    assert set(told.sure[1, 0]) == {1.0}
    assert set(told.right[1, 0]) == {0.0, 1.0}


def test_by_a_score_the_best_is_chosen_and_one_without_is_the_worst() -> None:
    told = decided(drawn([("1", True), ("2", False)], scores=(0.2, float("nan"))), "p")
    assert set(told.sure[0, 1]) == {0.2}
    assert set(told.right[0, 1]) == {1.0}
    assert set(told.sure[0, 0]) == {0.2, -np.inf}


def calibrated(count: int) -> Decided:
    """One draw, whose confidence is the chance that it is right."""
    chance = (np.arange(count) + 0.5) / count
    items = tuple(f"q{n}" for n in range(count))
    return Decided(items, (1,), chance[:, None, None], chance[:, None, None])


@pytest.mark.parametrize(("penalty", "threshold"), [(0.0, 0.0), (1.0, 0.5), (3.0, 0.75)])
def test_for_a_calibrated_confidence_the_threshold_is_the_break_even_chance(
    penalty: float, threshold: float
) -> None:
    (told,) = abstention(calibrated(4000), penalties=[penalty]).chosen
    assert told.joint[1] == pytest.approx(threshold, abs=0.02)
    # The integral of p - penalty (1 - p) from the threshold to 1.
    expected = (1 + penalty) * (1 - threshold**2) / 2 - penalty * (1 - threshold)
    assert told.utility.estimate == pytest.approx(expected, abs=0.02)
    assert told.utility.low <= told.utility.estimate <= told.utility.high
    assert told.always.estimate == pytest.approx(0.5 - penalty / 2, abs=0.03)
    assert told.gain.estimate == 0.0


def test_where_a_penalty_is_too_high_for_any_answer_everything_is_withheld() -> None:
    coins = Decided(("a", "b"), (1,), np.ones((2, 1, 1)), np.full((2, 1, 1), 0.5))
    told = abstention(coins).chosen
    assert [own.joint[1] for own in told] == [1.0, 1.0, np.inf]
    assert [own.utility.estimate for own in told] == [0.5, 0.0, 0.0]


def test_draws_that_only_tell_when_to_withhold_are_found_together_alone() -> None:
    """Half the questions are always right, half a new wrong answer each time: for accuracy one draw
    is enough, and it is sure of everything."""
    easy = [("1", True)] * 4
    hard = [(str(n), False) for n in range(2, 6)]
    found = decided(drawn(*[easy, hard] * 40), None)
    told = abstention(found, penalties=[0, 1], cost=0.01).chosen
    free, costly = told
    assert (free.joint[0], free.separate[0]) == (1, 1)
    assert costly.joint == (2, 1.0)
    assert costly.separate[0] == 1
    assert costly.gain.estimate == pytest.approx(
        costly.utility.estimate - costly.apart.estimate, abs=1e-12
    )
    # Two draws, and the share of easy questions in the half that is told.
    assert costly.utility.estimate + 0.02 == pytest.approx(0.5, abs=0.15)
    assert costly.gain.low > 0


@given(st.integers(0, 1000), st.integers(2, 8))
def test_coverage_falls_with_the_threshold(seed: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    questions = [
        [(None if g == 3 else str(g), bool(g == 0)) for g in rng.integers(0, 4, most)]
        for _ in range(6)
    ]
    curve = abstention(decided(drawn([("0", True)] * most, *questions), None)).curve
    for n in {own.draws for own in curve}:
        own = [each for each in curve if each.draws == n]
        assert [each.threshold for each in own] == sorted({each.threshold for each in own})
        shares = [each.coverage for each in own]
        assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize(
    ("told", "options", "message"),
    [
        (calibrated(1), {}, "two questions"),
        (calibrated(9), {"cost": -1.0}, "not below 0"),
        (calibrated(9), {"penalties": [-1.0]}, "not below 0"),
        (
            Decided(("a", "b"), (1,), np.full((2, 1, 1), -np.inf), np.zeros((2, 1, 1))),
            {},
            "no question has an answer",
        ),
    ],
)
def test_what_cannot_be_tuned_is_said(
    told: Decided, options: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        abstention(told, **options)  # type: ignore[arg-type]


def test_one_draw_of_a_question_has_no_more_to_bring() -> None:
    with pytest.raises(ValueError, match="two of each question"):
        decided(drawn([("1", True)]), None)
