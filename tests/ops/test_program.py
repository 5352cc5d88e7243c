from __future__ import annotations

import pytest

from polyarch.compiler.execution import Outcome, Verdict
from polyarch.compiler.op import Amount
from polyarch.ops.program import Program

from .fake import Fake, candidates, flow, judge, says

GOOD = "```python\nprint(6 * 7)\n```"
BAD = "```python\nprint(1 / 0)\n```"
MUTE = "```python\npass\n```"

OUTCOMES = {
    "print(6 * 7)": Outcome(Verdict.PASS, stdout="42\n", seconds=0.5),
    "print(1 / 0)": Outcome(Verdict.FAIL, "ZeroDivisionError", stderr="Trace\n", seconds=0.25),
    "pass": Outcome(Verdict.PASS, seconds=0.125),
}


def fake(*replies: str) -> Fake:
    return Fake(says(*replies), runner=OUTCOMES.__getitem__)


def test_what_it_prints_is_a_new_candidate() -> None:
    ctx = fake("?")
    (made,) = judge(Program(), ctx, candidates(f"Let me see.\n{GOOD}"))
    assert made is not None
    assert made.answer is not None
    assert (made.text, made.answer.text) == ("42", "42")
    assert made.origin.parents == ("drafts[0]",)
    assert made.notes["program"] == {
        "program": "print(6 * 7)",
        "verdict": "pass",
        "why": "",
        "repaired": 0,
    }
    assert made.usage.seconds == 0.5
    assert ctx.calls == []


@pytest.mark.parametrize("first", [BAD, MUTE, "I have no program."])
def test_one_repair_with_what_happened(first: str) -> None:
    ctx = fake(GOOD)
    (made,) = judge(Program(), ctx, candidates(first))
    assert made is not None
    assert made.text == "42"
    assert made.notes["program"]["repaired"] == 1  # type: ignore[index,call-overload]
    assert made.usage.calls == 1
    (call,) = ctx.calls
    assert call.role == "repair"
    assert first in call.text
    told = {BAD: "ZeroDivisionError\nTrace", MUTE: "It printed no answer"}
    assert told.get(first, "There is no program") in call.text


def test_no_more_repairs_than_allowed() -> None:
    ctx = fake(BAD)
    assert judge(Program(repairs=3), ctx, candidates(BAD)) == [None]
    assert len(ctx.calls) == 3
    assert len({call.index for call in ctx.calls}) == 3
    assert [what for what, _ in ctx.notes] == ["dropped"]
    assert judge(Program(repairs=0), fake("?"), candidates(BAD)) == [None]


def test_otherwise_the_text_stays() -> None:
    text = f"The answer is 41.\n{BAD}"
    (kept,) = judge(Program(repairs=0, otherwise="text"), fake("?"), candidates(text))
    assert kept is not None
    assert kept.text == text
    assert kept.notes["program"]["verdict"] == "fail"  # type: ignore[index,call-overload]


def test_flow_and_price() -> None:
    op = Program(model="m", max_tokens=100, repairs=2)
    assert op.flow(flow(3)).count == Amount(0, 3)
    assert Program(otherwise="text").flow(flow(3)).count == Amount(3, 3)
    (calls,) = op.calls(flow(3))
    assert calls.count == Amount(0, 6)
    assert calls.depth == Amount(0, 2)
    assert Program(repairs=0).calls(flow(3)) == ()
