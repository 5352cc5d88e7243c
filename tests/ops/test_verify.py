from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from polyarch.compiler.op import Amount
from polyarch.ops.verify import Verify

from .fake import Call, Fake, candidate, candidates, flow, judge, says


def verdict(word: str, reason: str = "checked") -> str:
    return json.dumps({"reason": reason, "verdict": word})


def by_vote(*replies: str) -> Callable[[Call], str]:
    """The first candidate's votes, in order, whatever the turn."""
    order = [i * (i + 1) // 2 + i for i in range(len(replies))]
    return lambda call: replies[order.index(call.index)]


def test_the_score_is_the_share_of_right_verdicts() -> None:
    ctx = Fake(by_vote(verdict("right"), verdict("wrong", "no"), verdict("right", "yes")))
    (judged,) = judge(Verify(votes=3), ctx, candidates("one"))
    assert judged is not None
    assert judged.scores["verify"] == pytest.approx(2 / 3)
    assert judged.notes["verdict"] == {"right": 2, "wrong": 1, "unreadable": 0, "reason": "yes"}
    assert judged.usage.calls == 3
    assert {c.role for c in ctx.calls} == {"verify"}


def test_an_unreadable_verdict_is_left_out_of_the_share() -> None:
    ctx = Fake(by_vote(verdict("wrong"), "maybe", verdict("right")))
    (judged,) = judge(Verify(votes=3), ctx, candidates("one"))
    assert judged is not None
    assert judged.scores["verify"] == 0.5
    assert judged.notes["verdict"] == {
        "right": 1,
        "wrong": 1,
        "unreadable": 1,
        "reason": "checked",
    }
    assert judged.usage.calls == 4


@pytest.mark.parametrize("reply", ["", "right", '{"verdict": "right"}', verdict("RIGHT")])
def test_no_readable_verdict_is_no_score(reply: str) -> None:
    ctx = Fake(says(reply))
    given = candidate("one", scores={"verify": 1.0, "other": 0.3})
    (judged,) = judge(Verify(votes=2), ctx, [given])
    assert judged is not None
    assert judged.scores == {"other": 0.3}
    assert judged.notes["verdict"] == {"right": 0, "wrong": 0, "unreadable": 2, "reason": None}
    assert ctx.unreadable == 2


def test_keep_at_drops_what_is_below_and_what_has_no_score() -> None:
    replies = {"a": verdict("right"), "b": verdict("wrong"), "c": "?"}
    ctx = Fake(lambda call: replies[call.shown[0]])
    judged = judge(Verify(keep_at=0.0), ctx, candidates("a", "b", "c"))
    assert [c and c.text for c in judged] == ["a", "b", None]
    judged = judge(Verify(keep_at=0.5), ctx, candidates("a", "b", "c"))
    assert [c and c.text for c in judged] == ["a", None, None]
    assert [n for n, _ in ctx.notes] == ["dropped"] * 3


def test_requests_keep_their_numbers_when_more_are_asked() -> None:
    few, many = Fake(says(verdict("right"))), Fake(says(verdict("right")))
    judge(Verify(votes=1), few, candidates("a", "b"))
    judge(Verify(votes=3), many, candidates("a", "b", "c"))
    numbers = [(c.shown, c.index) for c in many.calls]
    assert len({index for _, index in numbers}) == 9
    assert {(c.shown, c.index) for c in few.calls} <= set(numbers)


def test_flow_and_price() -> None:
    op = Verify(model="judge", votes=2, max_tokens=64)
    (calls,) = op.calls(flow(2, 3))
    assert calls.count == Amount(4, 12)
    assert calls.depth == Amount(1, 2)
    out = op.flow(flow(2, 3))
    assert out.count == Amount(2, 3)
    assert out.scores == {"verify"}
    assert out.notes == {"verdict"}
    assert Verify(keep_at=0.5).flow(flow(2, 3)).count == Amount(0, 3)
