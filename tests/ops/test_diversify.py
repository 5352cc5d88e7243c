"""Answers by different approaches."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from polyarch.compiler.op import Amount
from polyarch.ops._approaches import Section, sections
from polyarch.ops.diversify import Diversify

from .fake import Call, Fake, Fed, decide, flow, says


def diversify(**arguments: object) -> Diversify:
    return Diversify.model_validate(arguments)


def named(*approaches: str) -> str:
    return json.dumps({"approaches": approaches})


def test_approaches_are_named_once_and_each_is_taken() -> None:
    def say(call: Call) -> str:
        if call.role == "name_approaches":
            return named("algebra", "by hand")
        return f"{call.shown[0]}: 42"

    ctx = Fake(say)
    op = diversify(n=2, model="m", namer={"model": "big"})
    drawn = decide(op, ctx, Fed([]))
    assert [(c.text, c.notes["approach"]) for c in drawn] == [
        ("algebra: 42", "algebra"),
        ("by hand: 42", "by hand"),
    ]
    assert [c.answer.text for c in drawn if c.answer] == ["42", "42"]
    assert [(call.role, call.model) for call in ctx.calls] == [
        ("name_approaches", "big"),
        ("solve_by", "m"),
        ("solve_by", "m"),
    ]
    assert "Name 2 approaches" in ctx.calls[0].text
    assert "by this approach: algebra" in ctx.calls[1].text
    assert len({call.index for call in ctx.calls}) == 3


@pytest.mark.parametrize("said", ["?", named("a"), named("a", "a"), named("a", "b", "c")])
def test_names_that_cannot_be_read_give_nothing(said: str) -> None:
    ctx = Fake(says(said))
    assert decide(diversify(n=2), ctx, Fed([])) == []
    assert ctx.unreadable == 1


def test_approaches_that_are_given_are_asked_of_nobody() -> None:
    ctx = Fake(lambda call: call.shown[0])
    op = diversify(approaches=["algebra", "by hand"])
    assert [c.text for c in decide(op, ctx, Fed([]))] == ["algebra", "by hand"]
    assert {call.role for call in ctx.calls} == {"solve_by"}
    assert op.flow(flow(0)).count == Amount(2, 2)
    assert op.roles() == {"solve_by"}


def test_all_at_once_is_one_call_whose_sections_are_candidates() -> None:
    ctx = Fake(says("Approach 1: algebra\n6*7\nanswer: 42\n\nApproach 2: by hand\nanswer: 41"))
    op = diversify(method="together", n=3)
    drawn = decide(op, ctx, Fed([]))
    assert [(c.origin.index, c.notes["approach"], c.answer and c.answer.text) for c in drawn] == [
        (0, "algebra", "42"),
        (1, "by hand", "41"),
    ]
    assert len(ctx.calls) == 1
    assert [c.usage.calls for c in drawn] == [0, 0]
    assert ctx.notes == [("sections", {"read": 2, "wanted": 3, "left_out": 0})]
    listed = diversify(method="together", approaches=["algebra", "by hand"])
    decide(listed, ctx, Fed([]))
    assert "these in turn:\n1. algebra\n2. by hand" in ctx.calls[-1].text
    assert "Solve it 2 times" in ctx.calls[-1].text


@pytest.mark.parametrize(
    ("text", "found", "left_out"),
    [
        ("Approach 1: a\nx\nApproach 2: b\ny", [(1, "a", "x"), (2, "b", "y")], 0),
        ("## Approach 2 - b\ny\n**Approach 1:** a\nx", [(1, "a", "x"), (2, "b", "y")], 0),
        ("**Approach 1: a**\nx\n### APPROACH 1. again\nz", [(1, "a", "x")], 1),
        ("Approach 3: c\nx\nApproach 0: o\ny\nApproach 9: n\nz", [(3, "c", "x")], 2),
        ("Approach 1: a\n\nApproach 2: b\ny", [(2, "b", "y")], 1),
        (
            "Well.\nApproach 1\nMy approach 2 of it\nis x.",
            [(1, "", "My approach 2 of it\nis x.")],
            0,
        ),
        ("I take approach 1: a", [], 0),
        ("", [], 0),
    ],
)
def test_sections(text: str, found: list[tuple[int, str, str]], left_out: int) -> None:
    assert sections(text, 3) == ([Section(*one) for one in found], left_out)


def test_prices() -> None:
    def counts(**arguments: object) -> list[Amount]:
        calls = diversify(model="m", max_tokens=20, **arguments).calls(flow(0))
        return [one.count for one in calls]

    assert counts(n=4, namer={"model": "b", "max_tokens": 9}) == [Amount(0, 4), Amount(1, 2)]
    assert counts(approaches=["a", "b"]) == [Amount(2, 2)]
    assert counts(method="together", n=4) == [Amount(1, 1)]
    assert diversify(n=4).flow(flow(0)).count == Amount(0, 4)


def test_askings_are_settled_each() -> None:
    op = diversify(n=2, temperature=0.5)
    own, namer = op.askings()
    assert namer.temperature == 0.5
    settled = op.with_askings(
        [own.model_copy(update={"model": "m"}), namer.model_copy(update={"model": "b"})]
    )
    assert (settled.model, settled.namer.model) == ("m", "b")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"approaches": ["a"]}, "two or more"),
        ({"approaches": ["a", "a"]}, "two or more that differ"),
        ({"approaches": ["a", "b"], "n": 3}, "n is 3, and there are 2"),
        ({"approaches": ["a", "b"], "namer": {"model": "b"}}, "namer is for"),
        ({"method": "together", "namer": {"model": "b"}}, "namer is for"),
        ({"prompt": "Solve it."}, "names {approach}"),
        ({"method": "together", "prompt": "{approach}"}, "not shown by method together"),
    ],
)
def test_what_cannot_be_used_is_refused(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        diversify(**arguments)
