from __future__ import annotations

import json

import pytest

from polyarch.compiler.op import Amount
from polyarch.ops._asks import REPAIR
from polyarch.ops.critique import PROMPT, Critique

from .fake import Fake, candidates, flow, judge, says


def test_each_candidate_gets_its_own_critique() -> None:
    ctx = Fake(lambda call: json.dumps({"critique": f"about {call.shown[0]}"}))
    given = candidates("one", "two", verify=[0.5, 1.0])
    judged = judge(Critique(model="critic"), ctx, given)
    assert [c and c.notes["critique"] for c in judged] == ["about one", "about two"]
    assert [c and c.scores for c in judged] == [{"verify": 0.5}, {"verify": 1.0}]
    assert [c and c.origin for c in judged] == [c.origin for c in given]
    assert [(c.role, c.index) for c in ctx.calls] == [("critique", 0), ("critique", 1)]
    assert "What is 6 * 7?" in ctx.calls[0].text
    assert "one" in ctx.calls[0].text


@pytest.mark.parametrize("reply", ["fine", "{}", '{"critique": " "}', '{"critique": "a", "b": 1}'])
def test_an_unreadable_critique_leaves_no_note(reply: str) -> None:
    ctx = Fake(says(reply))
    (judged,) = judge(Critique(), ctx, candidates("one"))
    assert judged is not None
    assert "critique" not in judged.notes
    assert judged.usage.calls == 2
    assert ctx.unreadable == 1


def test_a_repaired_critique_counts_both_turns() -> None:
    ctx = Fake(says("hm", '{"critique": "wrong sum"}'))
    (judged,) = judge(Critique(), ctx, candidates("one"))
    assert judged is not None
    assert judged.notes["critique"] == "wrong sum"
    assert judged.usage.calls == 2
    assert ctx.unreadable == 0


def test_price_counts_the_repair_turn_and_flow_the_critique() -> None:
    op = Critique(model="critic", max_tokens=64)
    (calls,) = op.calls(flow(2, 3))
    own = len(PROMPT) // 4
    assert calls.count == Amount(2, 6)
    assert calls.prompt == Amount(10 + own + 100, 20 + own + 200 + 64 + REPAIR)
    assert calls.depth == Amount(1, 2)
    out = op.flow(flow(2, 3, "verify"))
    assert out.count == Amount(2, 3)
    assert out.notes == {"critique"}
    assert out.scores == {"verify"}
    assert out.tokens == Amount(100, 264)
