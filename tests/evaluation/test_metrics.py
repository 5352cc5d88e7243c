"""Graders at their edges: what counts as the same, and what cannot be read."""

from __future__ import annotations

import asyncio
import doctest
import json
from collections.abc import Mapping
from typing import Any

import pytest

from polyarch.compiler.answers import Answer, answer_kind
from polyarch.compiler.errors import InputError
from polyarch.evaluation.data import Item
from polyarch.evaluation.metrics import Given, Score, metric, named, pass_at_k, score_all
from polyarch.evaluation.metrics.calibration import calibration
from polyarch.evaluation.metrics.instructions import CHECKS


def scored(spec: str | Mapping[str, Any], reference: str, said: str | None, **more: Any) -> Score:
    item = Item("i", more.pop("question", "?"), reference, **more)
    answer = None if said is None else Answer(said, "text")
    return asyncio.run(metric(spec).score(item, answer, said or ""))


@pytest.mark.parametrize(
    ("reference", "said", "right"),
    [
        ("1000", "1,000", True),
        ("18", "$18.00", True),
        ("18", "18", True),
        ("18", "18.0000001", False),
        ("0.75", "3/4", True),
        ("0.75", r"\frac{3}{4}", True),
        ("-5", "-5", True),
        ("5", "-5", False),
        ("-5", "−5", True),
        ("12", "12 apples", True),
        ("50", "50%", True),
        ("1,234.5", "1234.50", True),
        ("5", "15", False),
        ("1000000", "1 million", True),
        ("3", r"\boxed{3}", True),
    ],
)
def test_numbers(reference: str, said: str, right: bool) -> None:
    assert scored("numeric", reference, said) == Score(float(right))


def test_numbers_that_cannot_be_read() -> None:
    assert scored("numeric", "18", None) == Score(0.0, parsed=False)
    assert scored("numeric", "18", "many") == Score(0.0, parsed=False)
    with pytest.raises(InputError, match="no number in the reference"):
        scored("numeric", "many", "18")


def test_a_number_may_be_off_by_the_tolerance() -> None:
    spec = {"numeric": {"tolerance": 0.1}}
    assert [scored(spec, "100", said).value for said in ("110", "90", "111")] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("B", True),
        ("B.", True),
        ("(B)", True),
        ("b)", True),
        ("Paris", True),
        ("paris", True),
        ("Answer: B", True),
        ("A", False),
        ("Rome", False),
        ("The answer is (B) Paris.", True),
    ],
)
def test_choices(said: str, right: bool) -> None:
    for reference in ("B", "Paris"):
        found = scored("choice", reference, said, choices=("Rome", "Paris", "Oslo"))
        assert found == Score(float(right))


def test_choices_that_cannot_be_read() -> None:
    assert not scored("choice", "B", "I do not know", choices=("Rome", "Paris")).parsed
    assert scored("choice", "no", "No", choices=("yes", "no")) == Score(1.0)
    assert scored("choice", "C", "(C)") == Score(1.0)
    with pytest.raises(InputError, match="none of its choices"):
        scored("choice", "Berlin", "A", choices=("Rome", "Paris"))


@pytest.mark.parametrize(
    ("reference", "said", "right"),
    [
        (r"\frac{1}{2}", "0.5", True),
        (r"\frac12", r"\dfrac{1}{2}", True),
        ("2x+4", "2(x+2)", True),
        (r"\sqrt{8}", r"2\sqrt{2}", True),
        (r"90^\circ", "90", True),
        ("1,000", "1000", True),
        ("-3", "3", False),
        ("x^2", "x^3", False),
        ("7", r"so we get \boxed{7}", True),
    ],
)
def test_mathematics(reference: str, said: str, right: bool) -> None:
    assert scored("maths", reference, said).value == float(right)


def test_texts() -> None:
    assert scored("exact", "a  b", "a b").value == 1.0
    assert scored("exact", "Paris", "paris").value == 0.0
    assert scored({"exact": {"fold": True}}, "Paris", "paris").value == 1.0
    assert scored({"exact": {"loose": True}}, '["the UK", "Britain"]', "The U.K.").value == 1.0
    assert scored("exact", '["x", "y"]', "z").value == 0.0


@pytest.mark.parametrize(
    ("said", "value", "parsed"),
    [
        ("(10 - 4) * (5 - 6 + 5)", 0.0, True),
        ("(5 * (10 - 4)) - 6", 1.0, True),
        ("Answer: 5 * (10 - 4) - 6 = 24", 1.0, True),
        ("4 * 6", 0.0, True),
        ("24", 0.0, True),
        ("10 / (5 - 5) + 4", 0.0, True),
        ("no way", 0.0, False),
        ("4 ** 5 + 6 - 10", 0.0, True),
    ],
)
def test_the_game_of_24(said: str, value: float, parsed: bool) -> None:
    found = scored("game24", "24", said, fields={"numbers": [4, 5, 6, 10]})
    assert (found.value, found.parsed) == (value, parsed)
    asked = scored("game24", "24", said, question="Obtain 24.\nInput: 4 5 6 10")
    assert asked == found


def test_steps_are_right_until_the_first_that_is_not() -> None:
    reference = json.dumps(["ab", "ba", "aa"])
    found = scored("stepwise", reference, '["ab", "bb", "aa"]')
    assert found.value == pytest.approx(1 / 3)
    assert found.detail == {"prefix": 1, "steps": 3}
    assert scored("stepwise", reference, "ab\nba\naa").value == 1.0
    assert scored("stepwise", reference, '["ab", "ba", "aa", "b"]').value == 0.75
    assert scored({"stepwise": {"of": "all"}}, reference, '["ab"]').value == 0.0
    assert scored({"stepwise": {"of": "last"}}, reference, '["x", "aa"]').value == 1.0


def test_a_wrong_answer_has_a_price() -> None:
    spec = {"utility": {"of": "numeric", "wrong": 3.0, "silent": 0.1}}
    assert scored(spec, "5", "5").value == 1.0
    assert scored(spec, "5", "6").value == -3.0
    assert scored(spec, "5", None).value == 0.1


def test_a_mistaken_metric_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match='did you mean "numeric"'):
        metric("numerc")
    with pytest.raises(InputError, match='did you mean "tolerance"'):
        metric({"numeric": {"tolerence": 0.1}})
    with pytest.raises(InputError, match="less than 1"):
        metric({"numeric": {"tolerance": 3}})


def test_every_metric_is_there() -> None:
    made = {name: metric(name) for name in named.METRICS}
    assert [one.name for one in made.values()] == list(made)
    assert list(named.METRICS) == sorted(named.METRICS)
    assert doctest.testmod(named).failed == 0


def test_equal_answers_are_scored_once() -> None:
    class Counting:
        name = "counting"
        asked = 0

        async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
            self.asked += 1
            return Score(float(text == "a"))

    counting = Counting()
    given = [Given(None, text) for text in "abaab"]
    scores = asyncio.run(score_all(counting, Item("i", "?", ""), given))
    assert [score.value for score in scores] == [1.0, 0.0, 1.0, 1.0, 0.0]
    assert counting.asked == 2


@pytest.mark.parametrize(("draws", "right"), [(10, 3), (7, 0), (5, 5), (6, 1)])
def test_pass_at_k_is_the_mean_over_all_sets(draws: int, right: int) -> None:
    from itertools import combinations

    outcomes = [place < right for place in range(draws)]
    for k in range(1, draws + 1):
        sets = list(combinations(outcomes, k))
        assert pass_at_k(draws, right, k) == pytest.approx(sum(map(any, sets)) / len(sets))
    with pytest.raises(ValueError, match="cannot be told"):
        pass_at_k(draws, right, draws + 1)


def test_calibration() -> None:
    found = calibration([0.95] * 4 + [0.15] * 2, [1, 1, 1, 0, 0, 0])
    assert found.ece == pytest.approx((4 * 0.2 + 2 * 0.15) / 6)
    assert found.brier == pytest.approx((3 * 0.05**2 + 0.95**2 + 2 * 0.15**2) / 6)
    assert [one.count for one in found.bins] == [2, 4]
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibration([1.5], [1])


@pytest.mark.parametrize(
    ("id", "given", "good", "bad"),
    [
        ("punctuation:no_comma", {}, "One two.", "One, two."),
        ("change_case:english_lowercase", {}, "all low.", "Not low."),
        ("change_case:english_capital", {}, "ALL UP.", "Not UP."),
        ("keywords:existence", {"keywords": ["cat", "dog"]}, "Cat and dog", "Cat alone"),
        ("keywords:forbidden_words", {"forbidden_words": ["cat"]}, "a category", "a cat"),
        ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', "{a: 1}"),
        ("detectable_format:title", {}, "<<On cats>>\nText", "On cats"),
        ("startend:quotation", {}, '"quoted"', "bare"),
        ("startend:end_checker", {"end_phrase": "The end."}, "It is the end.", "The end. Not."),
        ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n* b", "* a"),
        ("combination:two_responses", {}, "one ****** two", "one ****** one"),
        (
            "length_constraints:number_words",
            {"relation": "at least", "num_words": 3},
            "one two three",
            "one two",
        ),
        (
            "length_constraints:number_sentences",
            {"relation": "less than", "num_sentences": 3},
            "One. Two!",
            "One. Two! Three?",
        ),
        (
            "keywords:letter_frequency",
            {"let_relation": "at least", "let_frequency": 3, "letter": "o"},
            "ooo",
            "oo",
        ),
    ],
)
def test_instructions(id: str, given: Mapping[str, Any], good: str, bad: str) -> None:
    assert id in CHECKS
    fields = {"instruction_id_list": [id], "kwargs": [given]}
    assert scored("instructions", "", good, fields=fields) == Score(1.0, detail={id: True})
    assert scored("instructions", "", bad, fields=fields).value == 0.0


def test_answers_read_by_a_pipeline_are_read_further() -> None:
    item = Item("i", "?", "18")
    kind = answer_kind({"json": {"field": "answer"}})
    answer = kind.read('{"reasoning": "…", "answer": "$18.00"}')
    assert asyncio.run(metric("numeric").score(item, answer, "")).value == 1.0
