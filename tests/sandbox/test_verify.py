"""Verifying and testing in pipelines whose programs really run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sim import compiled

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted

PIPELINE = """
name: verified
question: {{kind: record, fields: [task, tests], text: "{{task}}"}}
models: {{m: scripted/m}}
answer: {answer}
steps:
  drafts: {{op: generate, n: 3}}
  checked: {{op: verify, {verify}}}
output: {{from: checked, keep: 3}}
"""
TEXTS = ("answer: 40", "answer: 42", "answer: 44")
TIMES = "```python\ndef f(a, b):\n    return {}\n```"


def program(request: Request, draw: Draw) -> str:
    """Breaks at first for the last draft, then compares with the truth."""
    role, shown = request.purpose.role, request.purpose.shown
    if role == "solve":
        return TEXTS[draw.index]
    if role == "translate":
        return "```python\nprint(6 * 7)\n```"
    claimed = shown[0].rsplit(" ", 1)[1]
    broken = "1 / 0\n" if claimed == "44" and role != "repair" else ""
    return f"```python\n{broken}print('right' if 6 * 7 == {claimed} else 'wrong')\n```"


def code(request: Request, draw: Draw) -> str:
    if request.purpose.role == "write_tests":
        return json.dumps({"tests": ["assert f(2, 3) == 6", "assert f(2, 2) == 4"]})
    return TIMES.format(("a * b", "a + b", "a - b")[draw.index])


def scores(verify: str, script: Any, answer: str = "number") -> tuple[list[Any], polyarch.Result]:
    made = compiled(PIPELINE.format(verify=verify, answer=answer))
    with polyarch.Pipeline(made, backends={"m": Scripted(script)}) as pipe:
        result = pipe({"task": "t", "tests": ["assert f(2, 3) == 6"]})
    calls = made.total.calls
    assert calls.low <= result.usage.calls <= calls.high
    return [candidate.scores.get("verify") for candidate in result.candidates], result


@pytest.mark.parametrize(
    ("verify", "script", "answer", "expected", "calls"),
    [
        ("method: program", program, "number", [0.0, 1.0, 0.0], 7),
        ("method: translation", program, "number", [0.0, 1.0, 0.0], 6),
        ("method: tests, given: tests", code, "code", [1.0, 0.0, 0.0], 3),
        ("method: tests", code, "code", [1.0, 0.5, 0.0], 4),
    ],
)
def test_programs_decide(
    verify: str, script: Any, answer: str, expected: list[float], calls: int
) -> None:
    told, result = scores(verify, script, answer)
    assert told == expected
    assert result.usage.calls == calls
    assert result.usage.seconds > 0


def test_the_repair_is_shown_the_traceback() -> None:
    seen: list[str] = []

    def script(request: Request, draw: Draw) -> str:
        if request.purpose.role == "repair":
            seen.append(request.messages[-1].text)
        return program(request, draw)

    scores("method: program", script)
    (shown,) = seen
    assert 'File "program.py", line 1' in shown
    assert "ZeroDivisionError: division by zero" in shown
