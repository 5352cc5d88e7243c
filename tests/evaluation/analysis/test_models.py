"""Errors of models, subsets of them, and what they cost."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.evaluation.analysis.cost import break_even, e3, fit_ideal_time
from polyarch.evaluation.analysis.draws import Draw
from polyarch.evaluation.analysis.models import Answers, answers_of, errors
from polyarch.evaluation.analysis.subsets import best_subset, greedy_subset, oracle, plurality


def answered(table: list[str], right: str = "a") -> Answers:
    """A model a row, a letter an answer, "-" none."""
    return answers_of(
        Draw(f"m{row}", f"q{column}", None if letter == "-" else letter, letter == right)
        for row, letters in enumerate(table)
        for column, letter in enumerate(letters)
    )


def test_errors_of_known_answers() -> None:
    told = errors(answered(["aabb", "abbc", "aaaa"]))
    assert told.accuracy == (0.5, 0.25, 1.0)
    assert told.correlation[0, 1] == pytest.approx(np.corrcoef([0, 0, 1, 1], [0, 1, 1, 1])[0, 1])
    assert np.isnan(told.correlation[0, 2])
    assert told.same[0, 1] == 0.5
    assert (told.together, told.independent) == (0.0, 0.0)


def test_only_questions_put_to_all_count() -> None:
    told = answers_of(
        [Draw("x", "a", "1", True), Draw("x", "b", "1", True), Draw("y", "b", "2", False)]
    )
    assert told.items == ("b",)
    assert told.right.tolist() == [[True], [False]]
    with pytest.raises(ValueError, match="needs two of them"):
        answers_of([Draw("x", "a", "1", True)])


@given(st.lists(st.text("abc-", min_size=4, max_size=4), min_size=2, max_size=5))
def test_plurality_is_that_of_counting_votes(table: list[str]) -> None:
    shares = []
    for column in range(4):
        votes = Counter(row[column] for row in table if row[column] != "-")
        most = [letter for letter, n in votes.items() if n == max(votes.values())]
        shares.append(("a" in most) / len(most) if most else 0.0)
    told = plurality(answered(table), range(len(table)))
    assert told == pytest.approx(np.mean(shares))


def test_the_exact_search_finds_what_greed_misses() -> None:
    # The best one alone covers half of each of the two that cover all together.
    answers = answered(["aaaabbbb", "bbbbaaaa", "aaabbaab"])
    assert greedy_subset(answers, 1, rule="oracle").models == ("m2",)
    assert greedy_subset(answers, 2, rule="oracle").accuracy == 7 / 8
    best = best_subset(answers, 2, rule="oracle")
    assert (best.models, best.accuracy, best.exact) == (("m0", "m1"), 1.0, True)


@given(st.lists(st.text("ab", min_size=6, max_size=6), min_size=3, max_size=5))
def test_no_subset_beats_the_exact_one(table: list[str]) -> None:
    answers = answered(table)
    best = best_subset(answers, 2, rule="oracle")
    assert best.accuracy == max(oracle(answers, s) for s in combinations(range(len(table)), 2))
    assert greedy_subset(answers, 2, rule="oracle").accuracy <= best.accuracy


def test_too_many_subsets_are_not_all_tried() -> None:
    answers = answered(["ab", "ba", "bb"])
    assert not best_subset(answers, 2, most=2).exact
    with pytest.raises(ValueError, match="4 of 3"):
        best_subset(answers, 4)


def test_ideal_time_is_found_again() -> None:
    rng = np.random.default_rng(0)
    prompt, completion = rng.integers(10, 900, 200), rng.integers(10, 400, 200)
    exact = 0.3 + 0.0002 * prompt + 0.02 * completion
    told = fit_ideal_time(exact.tolist(), prompt.tolist(), completion.tolist())
    assert (told.base, told.prompt, told.completion) == pytest.approx((0.3, 0.0002, 0.02))
    assert told.explained == pytest.approx(1)
    assert told.of(100, 10) == pytest.approx(0.52)
    with pytest.raises(ValueError, match="vary in length"):
        fit_ideal_time([1, 2, 3], [5, 5, 5], [4, 4, 4])
    with pytest.raises(ValueError, match="vary in length"):
        fit_ideal_time([1, 2, 3], [2, 4, 6], [1, 2, 3])


def test_ideal_time_of_prompts_that_never_vary_and_of_terms_that_noise_puts_below_0() -> None:
    told = fit_ideal_time([1.5, 2.5, 4.5], [5, 5, 5], [1, 2, 4])
    assert (told.base, told.prompt, told.completion) == pytest.approx((0.5, None, 1.0))
    rng = np.random.default_rng(1)
    completion = rng.integers(10, 400, 60)
    seconds = 0.02 * completion + rng.normal(0, 0.5, 60)
    told = fit_ideal_time(seconds.tolist(), rng.integers(41, 43, 60).tolist(), completion.tolist())
    assert told.base >= 0
    assert told.prompt is not None
    assert told.prompt >= 0
    assert told.of(42, 200) == pytest.approx(4, abs=0.3)


def test_accuracy_counts_twice_for_the_tokens_it_takes() -> None:
    assert e3(0.9, 300) == pytest.approx(0.0027)
    with pytest.raises(ValueError, match="takes tokens"):
        e3(0.9, 0)


def test_when_a_dearer_pipeline_pays() -> None:
    assert break_even(0.9, 5, 0.8, 1) == pytest.approx(40)
    assert break_even(0.8, 1, 0.8, 1) == 0.0
    assert break_even(0.7, 5, 0.8, 1) == float("inf")
    assert break_even(0.7, 1, 0.8, 5) == pytest.approx(-40)
