"""Texts go on where they were cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polyarch.compiler.model import Capability
from polyarch.compiler.op import Amount, Wishes
from polyarch.compiler.values import Candidate
from polyarch.ops.extend import Extend

from .fake import Fake, candidate, flow, judge, says


def cut(text: str) -> Candidate:
    return replace(candidate(text, 3, scores={"verify": 1.0}), finish="length")


def extended(op: Extend, old: Candidate, *replies: str) -> Candidate:
    (new,) = judge(op, Fake(says(*replies), step="more"), [old])
    assert new is not None
    return new


def test_a_text_goes_on_and_its_answer_is_read_anew() -> None:
    ctx = Fake(says("34\nanswer: 34"), step="more")
    (new,) = judge(Extend(model="m"), ctx, [cut("17*2=")])
    assert new is not None
    assert new.text == "17*2=34\nanswer: 34"
    assert new.answer is not None
    assert new.answer.text == "34"
    assert (new.origin.key, new.origin.parents) == ("more[3]", ("drafts[3]",))
    assert (new.scores, new.finish) == ({}, "stop")
    (call,) = ctx.calls
    assert (call.role, call.index, call.wishes) == ("solve", 3, Wishes("17*2="))
    assert call.messages == ctx.question.messages


def test_what_ended_is_let_through_unless_all_go_on() -> None:
    ended = candidate("answer: 4")
    ctx = Fake(says("5"))
    assert judge(Extend(), ctx, [ended]) == [ended]
    assert ctx.calls == []
    new = extended(Extend(whom="all", insert="\nWait, "), ended, "no: 5")
    assert new.text == "answer: 4\nWait, no: 5"


def test_where_nothing_comes_nothing_was_inserted() -> None:
    new = extended(Extend(insert="\n"), cut("answer: 4"), "")
    assert (new.text, new.finish) == ("answer: 4", "stop")


@pytest.mark.parametrize(
    ("begun", "reply", "text"),
    [
        ("so ", "it is\n\nWait, no", "so it is\n\nWait"),
        ("so\n\nWa", "it, no", "so\n\nWait"),  # begun in the old part
        ("so\n\nWait", ", Hmm, no", "so\n\nWait, Hmm"),  # that one was met before
    ],
)
def test_it_is_cut_behind_what_is_new(begun: str, reply: str, text: str) -> None:
    new = extended(Extend(until=("\n\nWait", "Hmm")), cut(begun), reply)
    assert (new.text, new.finish) == (text, "length")


def test_flow_and_price() -> None:
    op = Extend(model="m", max_tokens=50)
    out = op.flow(flow(3, 4, "verify"))
    assert (out.count, out.scores) == (Amount(3, 4), frozenset())
    assert out.tokens == Amount(100, 251)
    (calls,) = op.calls(flow(3, 4))
    assert calls.count == Amount(0, 4)
    assert calls.prompt.high == 220
    (every,) = Extend(model="m", max_tokens=50, whom="all").calls(flow(3, 4))
    assert every.count == Amount(3, 4)
    assert Capability.CONTINUATION in op.asks()
