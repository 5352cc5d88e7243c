"""One answer for each of the likeliest first tokens."""

from __future__ import annotations

from math import log

import pytest

from polyarch.compiler.model import Capability
from polyarch.compiler.op import Amount, Reply
from polyarch.compiler.values import Candidate, TokenLogprob, Usage
from polyarch.ops.branch import Branch

from .fake import Call, Fake, Fed, decide, flow


def told(*tokens: tuple[str, float]) -> Reply:
    top = tuple((token, log(p)) for token, p in tokens)
    first = (TokenLogprob(*top[0], top),) if top else ()
    return Reply(0, "", "m", "length", Usage(), logprobs=first)


def branched(op: Branch, first: Reply) -> tuple[list[Candidate], Fake]:
    def say(call: Call) -> str | Reply:
        return first if call.wishes.logprobs is not None else f" from {call.wishes.prefix}"

    ctx = Fake(say)
    return decide(op, ctx, Fed([])), ctx


def test_each_first_token_is_gone_on_from() -> None:
    drawn, ctx = branched(Branch(k=3), told(("6", 0.2), ("It", 0.5), ("The", 0.1)))
    assert [c.text for c in drawn] == ["It from It", "6 from 6", "The from The"]
    assert [c.origin.index for c in drawn] == [0, 1, 2]
    first, *others = ctx.calls
    assert (first.wishes.logprobs, first.wishes.prefix) == (3, "")
    assert [call.wishes.prefix for call in others] == ["It", "6", "The"]
    assert len({call.index for call in ctx.calls}) == 4
    assert all(call.messages == ctx.question.messages for call in ctx.calls)


def test_what_cannot_be_gone_on_from_is_left_out() -> None:
    first = told(("a", 0.3), (" ", 0.2), ("\ufffd", 0.2), ("", 0.1), ("a", 0.1), ("b", 0.1))
    drawn, ctx = branched(Branch(k=6), first)
    assert [c.text for c in drawn] == ["a from a", "b from b"]
    assert ctx.notes == [("fewer first tokens", {"tokens": ["a", "b"], "wanted": 6})]
    assert ctx.unreadable == 0


@pytest.mark.parametrize("first", [told(), told(("\n", 0.9), ("", 0.1))])
def test_without_any_first_token_nothing_comes_out(first: Reply) -> None:
    drawn, ctx = branched(Branch(), first)
    assert drawn == []
    assert (ctx.unreadable, len(ctx.calls)) == (1, 1)


def test_what_it_asks_for_and_costs() -> None:
    op = Branch(k=4, model="m", max_tokens=50)
    assert op.asks() == {Capability.LOGPROBS, Capability.CONTINUATION}
    first, rest = op.calls(flow(0))
    assert (first.count, first.completion.high) == (Amount(1, 1), 1)
    assert (rest.count, rest.completion.high) == (Amount(0, 4), 50)
    assert op.flow(flow(0)).count == Amount(0, 4)
