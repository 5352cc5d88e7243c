"""when, either, gather, item: what goes on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from polyarch.compiler.errors import InputError
from polyarch.compiler.op import Amount, Mismatch
from polyarch.ops.either import Either
from polyarch.ops.gather import Gather
from polyarch.ops.item import Item, items_of
from polyarch.ops.race import Race
from polyarch.ops.when import When

from .fake import Fake, candidates, decide, flow


def test_candidates_go_on_together_or_not_at_all() -> None:
    told = candidates("1", "1", "2")
    for holds, share in ((True, 0.6), (False, 0.7)):
        go = decide(When.model_validate({"holds": {"agree": share}}), Fake(), told)
        stay = decide(When.model_validate({"fails": {"agree": share}}), Fake(), told)
        assert (go, stay) == ((told, []) if holds else ([], told))


def test_nothing_never_goes_on() -> None:
    for told in ("holds", "fails"):
        assert decide(When.model_validate({told: {"candidates": 1}}), Fake(), []) == []


def test_the_trace_tells_what_was_decided() -> None:
    ctx = Fake()
    decide(When.model_validate({"fails": {"candidates": 2}}), ctx, candidates("a"))
    assert ctx.notes == [("when", {"held": False, "read": 1, "goes_on": True})]


@pytest.mark.parametrize("wrong", [{}, {"holds": {"agree": 1}, "fails": {"agree": 1}}])
def test_one_condition_is_written(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="either `holds` or `fails`"):
        When.model_validate(wrong)


def test_flows() -> None:
    when = When.model_validate({"holds": {"score": "s", "at_least": 1}})
    assert when.flow(flow(2, 3, "s")).count == Amount(0, 3)
    with pytest.raises(Mismatch, match="no score 's'") as wrong:
        when.flow(flow(2, 3))
    assert wrong.value.field == "holds"
    assert Race(first=2).flow(flow(1, 3)).count == Amount(1, 2)
    assert (Race(first=2).least(flow(5)), Race(first=2).window(flow(5))) == (2, None)
    assert Race(first=3).flow(flow(3)).count == Amount(3, 3)
    with pytest.raises(Mismatch, match="no first 4"):
        Race(first=4).flow(flow(3))
    assert Item(index=0).flow(flow(2)).count == Amount(1, 1)
    assert Item(index=1).flow(flow(2)).count == Amount(0, 1)
    for op in (when, Either(), Gather(), Race(), Item()):
        with pytest.raises(Mismatch):
            op.flow(flow(0))


@pytest.mark.parametrize("op", [Either(), Gather()])
def test_one_step_is_passed_on_as_it_is(op: Either | Gather) -> None:
    told = candidates("a", "b", "c")
    assert decide(op, Fake(), told) == told


@pytest.mark.parametrize(
    ("text", "split", "items"),
    [
        ("one\n\n  two  \n", "lines", ["one", "two"]),
        ("1. one\n2) two\n(3) three\n- four\n* five\n• six", "lines",
         ["one", "two", "three", "four", "five", "six"]),
        ("3.5 is half of 7\n-4 is negative", "lines", ["3.5 is half of 7", "-4 is negative"]),
        ("a\nb\n\nc", "paragraphs", ["a\nb", "c"]),
        ('Here: ["a", {"b": 1}, 2]', "json", ["a", '{"b": 1}', "2"]),
        ('{"a": 1}', "json", []),
        ("no list", "json", []),
        ("", "lines", []),
        (" 1. one\n\ntwo ", "whole", ["1. one\n\ntwo"]),
        (" \n", "whole", []),
    ],
)  # fmt: skip
def test_items(text: str, split: str, items: list[str]) -> None:
    found = [
        made.text
        for index in range(len(items) + 1)
        for made in decide(
            Item.model_validate({"index": index, "split": split}), Fake(), candidates(text, "other")
        )
    ]
    assert found == items


def test_an_item_names_the_list_it_is_from() -> None:
    (made,) = decide(Item(), Fake(), candidates("one"))
    assert made.origin.parents == ("drafts[0]",)


def test_a_longer_list_fails_or_is_cut() -> None:
    told = candidates("a\nb\nc")
    with pytest.raises(InputError, match="a list of 3 items, where 2 are the most"):
        decide(Item(most=2), Fake(), told)
    ctx = Fake()
    assert [c.text for c in decide(Item(most=2, on_more="drop"), ctx, told)] == ["a"]
    assert ctx.notes == [("items dropped", {"items": 3, "most": 2})]


@given(st.lists(st.text(st.characters(categories=["L"]), min_size=1), max_size=9))
def test_every_line_is_an_item(words: list[str]) -> None:
    assert list(items_of("\n".join(words), "lines")) == words
