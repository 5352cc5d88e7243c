"""Programs that steps run: metered, bounded, told, and outside the sandbox only with a grant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from click.testing import CliRunner
from sandboxed import needs_sandbox
from sim import compiled

import polyarch
from polyarch.backends.scripted import Scripted
from polyarch.cli import cli
from polyarch.compiler.emit.lints import lints
from polyarch.compiler.errors import BudgetExhausted, PlanRefused, StepFailed
from polyarch.compiler.execution import Limits, Outcome, Script, Verdict
from polyarch.runtime.events import Event
from polyarch.runtime.result import Result
from polyarch.runtime.session import Session
from polyarch.runtime.virtual import run

GOOD = "```python\ndef f(x): return x * x\n```"
BAD = "```python\ndef f(x): return x + x\n```"
TESTED = """
name: p
question: {kind: record, fields: [task, tests], text: "{task}"}
models: {m: scripted/x}
answer: code
BUDGET
steps:
  drafts: {op: generate, n: 4}
  best: {op: unit_test, given: tests, keep: 1, METHOD}
"""
RECORD = {"task": "square", "tests": ["assert f(2) == 4", "assert f(3) == 9"]}


class Slow:
    """An executor whose programs take virtual seconds and pass."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.under_way = 0
        self.ran: list[str] = []

    async def run(self, script: Script, limits: Limits) -> Outcome:
        raise NotImplementedError

    async def check(self, program: str) -> tuple[Outcome, ...]:
        self.under_way += 1
        self.ran.append(program)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.under_way -= 1
        verdict = Verdict.PASS if "x * x" in program else Verdict.FAIL
        return tuple(Outcome(verdict, seconds=self.seconds / 2) for _ in range(2))

    @asynccontextmanager
    async def tester(self, tests: Sequence[str], limits: Limits) -> AsyncIterator[Slow]:
        yield self


def text(budget: str = "", method: str = "method: count") -> str:
    return TESTED.replace("BUDGET", budget).replace("METHOD", method)


def asked(made: str, slow: Slow, *told: list[Event]) -> Result:
    async def main() -> Result:
        backend = Scripted(lambda request, draw: [BAD, GOOD][draw.index % 2])
        listeners = [events.append for events in told]
        plan = compiled(made)
        async with Session(
            plan, backends={"m": backend}, listeners=listeners, executor=slow
        ) as session:
            return await session.ask(RECORD, id="q")

    return run(main())


def test_seconds_are_charged_and_told() -> None:
    events: list[Event] = []
    result = asked(text(), Slow(3.0), events)
    assert "x * x" in str(result)
    assert result.usage.seconds == pytest.approx(6.0)  # two distinct programs
    ran = [event for event in events if event.what == "ran"]
    assert sorted(str(event.data["verdicts"]) for event in ran) == ["{'fail': 2}", "{'pass': 2}"]
    assert [event.data["seconds"] for event in ran] == [3.0, 3.0]


def test_the_time_of_the_budget_ends_what_runs() -> None:
    slow = Slow(50.0)
    with pytest.raises(BudgetExhausted, match="no answer within 5 seconds"):
        asked(text("budget: {seconds: 5}"), slow)
    assert slow.under_way == 0


def test_the_best_so_far_at_the_end_of_the_time() -> None:
    result = asked(text("budget: {seconds: 5, on_budget: best}"), Slow(50.0))
    assert "no answer within 5 seconds" in result.stopped


def test_the_first_pass_stops_the_draws() -> None:
    slow = Slow(1.0)
    result = asked(text(method="method: first_pass, ahead: 1"), slow)
    assert "x * x" in str(result)
    assert len(slow.ran) == 2
    assert result.usage.calls < 4


def test_no_sandbox_needs_a_grant_and_is_told() -> None:
    plan = compiled(text(method="sandbox: none"))
    assert any("sandbox: none" in lint for lint in lints(plan))
    with pytest.raises(PlanRefused, match="--allow-unsandboxed"):
        Session(plan)
    Session(plan, allow_unsandboxed=True)
    assert not any("sandbox" in lint for lint in lints(compiled(text())))


def test_the_command_line_wants_the_grant_too(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "p.yaml").write_text(text(method="sandbox: none"))
    told = CliRunner().invoke(cli, ["run", str(tmp_path / "p.yaml"), '{"task": "a", "tests": "b"}'])
    assert told.exit_code != 0
    assert "--allow-unsandboxed" in str(told.exception or "") + told.output


@pytest.mark.parametrize("sandbox", ["bubblewrap", "none"])
def test_for_real(sandbox: str) -> None:
    if sandbox == "bubblewrap":
        needs_sandbox()
    plan = compiled(text(method=f"method: dual, sandbox: {sandbox}"))
    backend = Scripted(lambda request, draw: [BAD, GOOD][draw.index % 2])
    with polyarch.Pipeline(plan, backends={"m": backend}, allow_unsandboxed=True) as pipe:
        result = pipe(RECORD)
    assert "x * x" in str(result)
    assert result.candidates[0].scores["tests"] == 4.0
    assert result.usage.seconds > 0


def test_a_program_s_output_is_the_answer_for_real() -> None:
    needs_sandbox()
    made = compiled(
        "name: p\nmodels: {m: scripted/x}\nanswer: number\n"
        "steps:\n  drafts: {op: generate}\n  answer: {op: program}\n"
    )
    backend = Scripted(
        lambda request, draw: (
            "```python\nprint(sum(range(10)))\n```"
            if request.purpose.role == "repair"
            else "```python\nprint(sum(range(10)\n```"
        )
    )
    with polyarch.Pipeline(made, backends={"m": backend}) as pipe:
        result = pipe("Sum 0 to 9.")
    assert str(result) == "45"
    assert result.usage.calls == 2


def test_what_cannot_be_isolated_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from polyarch.runtime.sandbox import probe

    monkeypatch.setattr(probe.shutil, "which", lambda name: None)
    probe.probed.cache_clear()
    plan = compiled(text())
    backend = Scripted(lambda request, draw: GOOD)
    with (
        polyarch.Pipeline(plan, backends={"m": backend}) as pipe,
        pytest.raises(StepFailed, match="apt-get install bubblewrap"),
    ):
        pipe(RECORD)
