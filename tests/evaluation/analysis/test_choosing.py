"""Choosing among draws: saturation, gaps, diversity, confidence."""

from __future__ import annotations

from itertools import combinations, permutations
from math import log2
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.evaluation.analysis.choosing import best_of, plurality_of
from polyarch.evaluation.analysis.confidence import by_score, by_votes
from polyarch.evaluation.analysis.diversity import diversity
from polyarch.evaluation.analysis.draws import Draw, Draws, gathered
from polyarch.evaluation.analysis.halves import halves
from polyarch.evaluation.analysis.saturation import saturation


def drawn(questions: list[str], right: str = "a", scores: list[list[float]] | None = None) -> Draws:
    """Draws of one source: a letter an answer, "-" none."""
    made = [
        Draw(
            "m",
            f"q{place}",
            None if letter == "-" else letter,
            letter == right,
            {} if scores is None else {"s": scores[place][index]},
        )
        for place, letters in enumerate(questions)
        for index, letter in enumerate(letters)
    ]
    return gathered(made)[0]


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), min_size=1, max_size=6))
def test_best_of_n_is_the_mean_over_all_sets(draws: list[tuple[float, bool]]) -> None:
    scores, right = (np.array(own) for own in zip(*draws, strict=True))
    told = best_of(scores, right, len(draws))
    for n, share in enumerate(told, start=1):
        picked = []
        for chosen in combinations(draws, n):
            top = max(score for score, _ in chosen)
            picked.append(fmean(hit for score, hit in chosen if score == top))
        # Ties share among the draws of that score, whichever of them are in the set.
        assert share == pytest.approx(fmean(picked))


def test_a_draw_without_a_score_is_taken_last() -> None:
    told = best_of(np.array([np.nan, 0.1]), np.array([True, False]), 2)
    assert told.tolist() == [0.5, 0.0]


def test_plurality_over_every_order_is_exact() -> None:
    groups, right = np.array([0, 1, 1, -1]), np.array([True, False, False, False])
    orders = np.array(list(permutations(range(4))))
    told = plurality_of(groups, right, (1, 2, 3, 4), orders)
    # Two of four: {0,1}, {0,1'} tie at one half, {0,-} is right; three of six sets with the right.
    assert told == pytest.approx([1 / 4, (0.5 + 0.5 + 1) / 6, (0 + 0.5 + 0.5 + 0) / 4, 0.0])


def test_orders_counted_in_parts_count_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(-1, 4, size=12)
    right, orders = groups == 1, rng.permuted(np.tile(np.arange(12), (20, 1)), axis=1)
    whole = plurality_of(groups, right, (1, 5, 12), orders)
    monkeypatch.setattr("polyarch.evaluation.analysis.choosing._AT_ONCE", 100)
    assert plurality_of(groups, right, (1, 5, 12), orders) == pytest.approx(whole)


def test_nothing_votes_for_no_answer() -> None:
    orders = np.array([[0, 1]])
    silent = plurality_of(np.array([-1, -1]), np.array([False, False]), (1, 2), orders)
    assert silent.tolist() == [0.0, 0.0]


def test_saturation_tells_where_plurality_stops_and_what_the_oracle_has_left() -> None:
    told = saturation(drawn(["aaaa", "bbba", "aaab", "bbbb"]), tolerance=0.05)
    assert told.ns == (1, 2, 4)
    plurality, oracle = told.growth
    assert plurality.accuracy[-1].estimate == 0.5
    assert oracle.accuracy[-1].estimate == 0.75
    assert dict(told.gaps)["plurality"].estimate == pytest.approx(0.25)
    assert oracle.enough == 4
    assert plurality.enough == 1


def test_a_misleading_score_gets_worse_with_more_draws() -> None:
    told = saturation(drawn(["ab", "ab"], scores=[[0.1, 0.9], [0.2, 0.3]]))
    score = next(own for own in told.growth if own.rule == "s")
    assert [own.estimate for own in score.accuracy] == [0.5, 0.0]
    assert (score.best, score.enough, score.left.estimate) == (1, 1, -0.5)


def test_diversity_of_known_answers() -> None:
    told = diversity(drawn(["aab-", "cccc"]))
    third = -(2 / 3 * log2(2 / 3) + 1 / 3 * log2(1 / 3))
    assert told.distinct == 1.5
    assert told.entropy == pytest.approx(third / 2)
    assert told.effective == pytest.approx((2**third + 1) / 2)
    assert told.agreement == pytest.approx((1 / 3 + 1) / 2)
    assert told.unanimous == 0.5
    assert told.silent == 1 / 8


def test_confidence_by_votes_and_by_score() -> None:
    draws = drawn(["aab-", "bbba", "--"], scores=[[0.1, 0.2, 0.9, 0], [0, 0, 0, 1], [0, 0]])
    votes, score = by_votes(draws), by_score(draws, "s")
    assert votes.confidence.tolist() == [0.5, 0.75]
    assert votes.right.tolist() == [True, False]
    assert score.confidence.tolist() == [0.9, 1.0, 0.0]
    assert score.right.tolist() == [False, True, False]


def test_halves_share_no_question_and_leave_none_out() -> None:
    one, other = halves([f"q{n}" for n in range(1000)])
    assert sorted([*one, *other]) == list(range(1000))
    assert len(one) == len(other) == 500
