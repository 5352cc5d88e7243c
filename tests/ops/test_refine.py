from __future__ import annotations

import pytest
from pydantic import ValidationError

from polyarch.compiler.op import Amount
from polyarch.ops.refine import NO_CRITIQUE, Refine

from .fake import SYSTEM, Fake, candidate, flow, judge


def test_writes_a_new_candidate_from_text_and_critique() -> None:
    ctx = Fake(lambda call: "It is 42.", step="better")
    old = candidate("41", 3, scores={"verify": 0.0}, notes={"critique": "off by one"})
    (new,) = judge(Refine(model="solver"), ctx, [old])
    assert new is not None
    assert new.text == "It is 42."
    assert new.answer is not None
    assert new.answer.text == "42"
    assert new.origin.key == "better[3]"
    assert new.origin.parents == ("drafts[3]",)
    assert new.scores == {}
    assert new.notes == {}
    (call,) = ctx.calls
    assert (call.role, call.index, call.shown) == ("revise", 3, ("41", "off by one"))
    assert call.messages[0] == SYSTEM
    assert "off by one" in call.text
    assert "What is 6 * 7?" in call.text


def test_without_a_critique_says_so() -> None:
    ctx = Fake()
    judge(Refine(), ctx, [candidate("41")])
    assert ctx.calls[0].shown == ("41",)
    assert NO_CRITIQUE in ctx.calls[0].text


def test_braces_in_texts_stay() -> None:
    ctx = Fake()
    judge(Refine(), ctx, [candidate("{critique} {question}", notes={"critique": "{candidate}"})])
    assert "{critique} {question}" in ctx.calls[0].text
    assert "{candidate}" in ctx.calls[0].text


def test_flow_and_price() -> None:
    op = Refine(model="solver", max_tokens=30)
    out = op.flow(flow(2, 3, "verify", notes=["critique"]))
    assert (out.count, out.scores, out.notes, out.tokens) == (
        Amount(2, 3),
        frozenset(),
        frozenset(),
        Amount(1, 30),
    )
    assert out.question == Amount(10, 20)
    assert op.calls(flow(2, 3))[0].count == Amount(2, 3)


def test_an_answer_may_be_a_hint() -> None:
    ctx = Fake()
    op = Refine(prompt="{question} Hint: {answer}.")
    judge(op, ctx, [candidate("41"), candidate("", 1)])
    assert [call.text for call in ctx.calls] == [
        "What is 6 * 7? Hint: 41.",
        "What is 6 * 7? Hint: (none).",
    ]
    with pytest.raises(ValidationError, match="shows the"):
        Refine(prompt="{question}")
