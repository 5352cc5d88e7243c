from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.compiler.op import Amount, Mismatch
from polyarch.ops.fuse import Fuse

from .fake import SYSTEM, Fake, candidate, candidates, decide, flow


def test_shows_everything_and_names_all_parents() -> None:
    ctx = Fake(lambda call: "So 42.")
    given = [candidate("41", 0, scores={"verify": 0.1}), candidate("42", 1)]
    (fused,) = decide(Fuse(model="fuser"), ctx, given)
    assert fused.text == "So 42."
    assert fused.scores == {}
    assert fused.notes == {}
    assert fused.origin.parents == ("drafts[0]", "drafts[1]")
    (call,) = ctx.calls
    assert (call.role, call.shown, call.messages[0]) == ("fuse", ("41", "42"), SYSTEM)
    assert "### Candidate 1\n41\n\n### Candidate 2\n42" in call.text
    assert "### Critique" not in call.text


def test_critiques_stand_with_their_candidates() -> None:
    ctx = Fake()
    given = [candidate("a", 0), candidate("b", 1, notes={"critique": "weak"})]
    decide(Fuse(), ctx, given[::-1])
    assert (
        "### Candidate 1\nb\n\n### Critique of candidate 1\nweak\n\n### Candidate 2\na"
        in ctx.calls[0].text
    )


def test_several_come_out_in_index_order() -> None:
    ctx = Fake(lambda call: f"no. {call.index}")
    fused = decide(Fuse(n=3), ctx, candidates("a", "b"))
    assert [c.origin.index for c in fused] == [0, 1, 2]
    assert [c.index for c in ctx.calls] == [0, 1, 2]


def test_nothing_left_at_run_time() -> None:
    ctx = Fake()
    assert decide(Fuse(), ctx, []) == []
    assert ctx.calls == []


def test_flow_and_price() -> None:
    op = Fuse(model="fuser", n=2, max_tokens=30)
    out = op.flow(flow(2, 3, "verify"))
    assert (out.count, out.scores, out.tokens) == (Amount(2, 2), frozenset(), Amount(1, 30))
    assert op.flow(flow(0, 3)).count == Amount(0, 2)
    (calls,) = op.calls(flow(2, 3))
    assert calls.count == Amount(2, 2)
    assert calls.prompt.low > 200
    assert calls.prompt.high > 600
    with pytest.raises(Mismatch, match="over nothing"):
        op.flow(flow(0))
    with pytest.raises(Mismatch, match="without a critique"):
        op.flow(flow(1))
    assert op.flow(flow(1, notes=["critique"])).count == Amount(2, 2)


def test_many_are_fused_in_groups_as_equal_as_can_be() -> None:
    ctx = Fake(lambda call: "".join(call.shown))
    (fused,) = decide(Fuse(most=3), ctx, candidates(*"abcdefghij"))
    assert fused.text == "abcdefghij"
    assert [call.shown for call in ctx.calls] == [
        ("a", "b"),
        ("c", "d", "e"),
        ("f", "g"),
        ("h", "i", "j"),
        ("ab", "cde"),
        ("fg", "hij"),
        ("abcde", "fghij"),
    ]
    assert fused.origin.parents == tuple(f"drafts[{place}]" for place in range(10))
    assert len({call.index for call in ctx.calls}) == 7
    assert fused.origin.index == 0


@given(count=st.integers(1, 40), most=st.integers(2, 6), n=st.integers(1, 2))
def test_the_calls_of_a_tree_are_counted_exactly(count: int, most: int, n: int) -> None:
    ctx = Fake(lambda call: "x")
    fused = decide(Fuse(most=most, n=n), ctx, candidates(*"x" * count))
    assert len(fused) == n
    (priced,) = Fuse(most=most, n=n, model="m", max_tokens=50).calls(flow(count))
    assert priced.count == Amount(len(ctx.calls), len(ctx.calls))
    assert max(len(call.shown) for call in ctx.calls) <= most
