from __future__ import annotations

import json

import pytest

from polyarch.compiler.op import Amount, Mismatch
from polyarch.ops.critique_all import CritiqueAll

from .fake import Fake, candidates, decide, flow, says


def form(*numbers: int) -> str:
    return json.dumps({"critiques": [{"candidate": n, "critique": f"of {n}"} for n in numbers]})


def test_one_call_and_every_candidate_its_critique() -> None:
    ctx = Fake(says(form(2, 1, 3)))
    judged = decide(CritiqueAll(), ctx, candidates("a", "b", "c"))
    assert [(c.text, c.notes["critique"]) for c in judged] == [
        ("a", "of 1"),
        ("b", "of 2"),
        ("c", "of 3"),
    ]
    (call,) = ctx.calls
    assert call.role == "critique_all"
    assert call.shown == ("a", "b", "c")
    assert call.text.index("### Candidate 2") < call.text.index("b\n")
    assert ctx.notes == []


@pytest.mark.parametrize(
    ("numbers", "kept"),
    [((1, 2), [1, 2]), ((1, 1, 2, 3), [2, 3]), ((1, 2, 3, 4), [1, 2, 3]), ((0, 3), [3])],
)
def test_missing_and_doubled_critiques_after_the_repair(
    numbers: tuple[int, ...], kept: list[int]
) -> None:
    ctx = Fake(says(form(*numbers)))
    judged = decide(CritiqueAll(), ctx, candidates("a", "b", "c"))
    assert [n for n, c in enumerate(judged, 1) if "critique" in c.notes] == kept
    assert all(judged[n - 1].notes["critique"] == f"of {n}" for n in kept)
    assert [c.turn for c in ctx.calls] == [0, 1]
    lacking = [f"drafts[{n - 1}]" for n in (1, 2, 3) if n not in kept]
    assert ctx.notes == ([("no critique", {"candidates": lacking})] if lacking else [])
    assert ctx.unreadable == 1


def test_the_repair_turn_can_complete_it() -> None:
    ctx = Fake(says(form(1), form(1, 2)))
    judged = decide(CritiqueAll(), ctx, candidates("a", "b"))
    assert all("critique" in c.notes for c in judged)
    assert ctx.unreadable == 0


def test_nothing_readable_and_nothing_given() -> None:
    ctx = Fake(says("they are all fine"))
    judged = decide(CritiqueAll(), ctx, candidates("a", "b"))
    assert [c.notes for c in judged] == [{}, {}]
    assert decide(CritiqueAll(), (idle := Fake()), []) == []
    assert idle.calls == []


def test_flow_and_price() -> None:
    op = CritiqueAll(model="critic", max_tokens=64)
    (calls,) = op.calls(flow(2, 3))
    assert calls.count == Amount(1, 2)
    assert calls.prompt.low > 10 + 200
    assert calls.prompt.high > 20 + 600 + 64
    assert op.flow(flow(2, 3)).notes == {"critique"}
    with pytest.raises(Mismatch, match="over nothing"):
        op.flow(flow(0))
