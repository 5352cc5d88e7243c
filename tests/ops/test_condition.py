"""When candidates are good enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import nan
from typing import Any

import pytest
from pydantic import ValidationError

from polyarch.compiler.answers import answer_kind
from polyarch.compiler.condition import Condition
from polyarch.compiler.op import Mismatch

from .fake import candidates, flow

KIND = answer_kind("exact")


def holds(told: Mapping[str, Any], *texts: str, **scores: list[float | None]) -> bool:
    return Condition.model_validate(told).holds(KIND, candidates(*texts, **scores))


def test_of_nothing_nothing_holds() -> None:
    assert not holds({"candidates": 1})
    assert not holds({"score": "s", "at_most": 1, "every": True})


def test_agreement_is_a_share_of_all_candidates() -> None:
    assert holds({"agree": 0.6}, "a", "a", "a", "b", "c")
    assert not holds({"agree": 0.61}, "a", "a", "a", "b", "c")
    assert not holds({"agree": 0.6}, "a", "a", "", "")  # no answer counts against it
    assert holds({"agree": 0.666666667}, "a", "a", "b")
    assert not holds({"agree": 0.1}, "", "")


def test_a_score_is_bounded_for_one_or_for_all() -> None:
    at_least = {"score": "s", "at_least": 0.5}
    assert holds(at_least, "a", "b", s=[0.5, 0.1])
    assert not holds({**at_least, "every": True}, "a", "b", s=[0.5, 0.1])
    assert holds({"score": "s", "at_most": 0.5, "every": True}, "a", "b", s=[0.5, 0.1])
    assert not holds({"score": "s", "at_least": 0.2, "at_most": 0.4}, "a", "b", s=[0.5, 0.1])


@pytest.mark.parametrize("bad", [None, nan])
def test_a_score_that_is_none_is_out_of_bounds(bad: float | None) -> None:
    assert not holds({"score": "s", "at_most": 1}, "a", s=[bad])
    assert not holds({"score": "s", "at_least": -1, "every": True}, "a", "b", s=[1.0, bad])


def test_ended_is_what_was_not_cut_short() -> None:
    ended = Condition(ended=True)
    one, other = candidates("a", "b")
    assert ended.holds(KIND, [one, other])
    assert not ended.holds(KIND, [one, replace(other, finish="length")])
    assert not ended.holds(KIND, [])


def test_all_parts_must_hold() -> None:
    told = {"agree": 0.5, "candidates": 3}
    assert not holds(told, "a", "a")
    assert not holds(told, "a", "b", "c")
    assert holds(told, "a", "a", "c")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("easy", "easy"),
        ("It is EASY.", "easy"),
        ("hard or easy? I would say: hard", "hard"),
        ("uneasy, hardly", ""),
        ("very hard indeed", "very hard"),
        ("hard", "hard"),
    ],
)
def test_the_last_word_named_counts(text: str, word: str) -> None:
    among = ("easy", "hard", "very hard")
    for one in among:
        assert holds({"says": [one], "among": among}, text) == (one == word)


def test_unchanged_compares_answers_in_order() -> None:
    same = Condition(unchanged=True)
    now = candidates("a", "b")
    assert same.holds(KIND, now, candidates("a", "b"))
    for before in (["b", "a"], ["a"], ["a", "b", "c"], []):
        assert not same.holds(KIND, now, candidates(*before))
    assert not same.holds(KIND, candidates("", "a"), candidates("", "a"))


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({}, "says something"),
        ({"score": "s"}, "go together"),
        ({"at_least": 1}, "go together"),
        ({"agree": 0.5, "every": True}, "for a score"),
        ({"agree": 0}, "greater than 0"),
        ({"says": ["a"], "among": ["b"]}, "some of"),
        ({"agrees": 1}, "not permitted"),
    ],
)
def test_what_says_nothing_is_refused(told: Mapping[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Condition.model_validate(told)


def test_a_score_nobody_gave_is_a_mismatch() -> None:
    condition = Condition(score="verify", at_least=1)
    condition.check(flow(1, 1, "verify"), "until")
    with pytest.raises(Mismatch, match="scores there: rank") as wrong:
        condition.check(flow(1, 1, "rank"), "until")
    assert wrong.value.field == "until"
