"""A failure names its step, stops everything at once, and never comes as a group."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable

import pytest
from sim import compiled, simulate, solo, steady

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import (
    InputError,
    NoAnswer,
    NotRecorded,
    RateLimited,
    ServerFailed,
    StepFailed,
)
from polyarch.runtime.events import Bus, Event
from polyarch.runtime.session import Session
from polyarch.runtime.virtual import run

SIXTEEN = """\
name: p
answer: number
models: {m: {model: scripted/x, max_draws: %d, retries: 0}}
steps:
  drafts: {op: generate, n: 16}
  answer: {op: vote}
"""


def failing(step: str, place: int) -> Callable[[Request, Draw], str | Script]:
    def reply(request: Request, draw: Draw) -> str | Script:
        if request.step == step and draw.index == place:
            return Script(fault=ServerFailed("down"), latency=1.0)
        return steady(request, draw)

    return reply


@pytest.mark.parametrize("most", [1, 4, 16])
def test_no_sibling_runs_on(most: int) -> None:
    backend = Scripted(failing("drafts", 5), latency=30.0)
    events: list[Event] = []
    with pytest.raises(StepFailed) as caught:
        simulate(compiled(SIXTEEN % most), {"m": backend}, listeners=[events.append])
    assert (backend.log.failed, backend.log.cancelled, backend.log.finished) == (1, 15, 0)
    assert caught.value.step == "drafts"
    assert str(caught.value) == "step 'drafts' failed: down"
    assert isinstance(caught.value.__cause__, ServerFailed)
    assert events[-1].what == "failed"
    assert events[-1].step == "drafts"
    assert events[-1].at == 1.0


LAYERS = """\
name: p
answer: number
models: {m: {model: scripted/x, max_draws: 1}}
steps:
  drafts: {op: generate, n: 4}
  checked: {op: verify, votes: 3}
  told: {op: critique}
  better: {op: refine}
  best: {op: rank, keep: 3}
  fused: {op: fuse, n: 2}
  answer: {op: vote}
"""


@pytest.mark.parametrize("step", ["drafts", "checked", "told", "better", "best", "fused"])
@pytest.mark.parametrize("error", [ServerFailed("down"), KeyError("gone"), TimeoutError("late")])
def test_every_step_is_named_and_no_group_escapes(step: str, error: Exception) -> None:
    def reply(request: Request, draw: Draw) -> str | Script:
        if request.step == step:
            raise error
        return steady(request, draw)

    with pytest.raises(StepFailed) as caught:
        solo(LAYERS, reply, 1.0)
    assert caught.value.step == step
    chain: BaseException | None = caught.value
    while chain is not None:
        assert not isinstance(chain, BaseExceptionGroup)
        last, chain = chain, chain.__cause__
    assert last is error


def test_the_first_failure_is_the_one_told() -> None:
    def reply(request: Request, draw: Draw) -> Script:
        return Script(fault=RateLimited(f"no {draw.index}"), latency=9.0 - draw.index)

    with pytest.raises(StepFailed, match="no 3"):
        solo(SIXTEEN.replace("16", "4") % 1, reply)


def test_one_failing_question_ends_the_batch_and_stops_the_others() -> None:
    def reply(request: Request, draw: Draw) -> Script:
        if request.question == "3":
            return Script(fault=ServerFailed("down"), latency=2.0)
        return Script("the answer is 4", latency=1.0 if int(request.question) < 3 else 50.0)

    backend = Scripted(reply)

    async def main() -> list[str]:
        told = []
        async with Session(compiled(SIXTEEN % 64), backends={"m": backend}) as session:
            try:
                async for result in session.map([f"q{i}" for i in range(20)], concurrency=10):
                    told.append(result.question.id)
            except StepFailed as error:
                told.append(error.step)
            assert asyncio.all_tasks() == {asyncio.current_task()}
        return told

    assert run(main()) == ["0", "1", "2", "drafts"]
    assert backend.log.under_way == 0


def test_a_listener_that_raises_is_dropped_and_the_run_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[str] = []
    calls = 0

    def broken(event: Event) -> None:
        nonlocal calls
        calls += 1
        raise ValueError("oops")

    with caplog.at_level(logging.ERROR):
        result = simulate(
            compiled(SIXTEEN % 16),
            {"m": Scripted(steady)},
            listeners=[broken, lambda event: heard.append(event.what)],
        )
    assert result.answer == "4"
    assert calls == 1
    assert len(heard) == len(result.trace)
    assert len(caplog.records) == 1


def test_a_bus_without_listeners_is_silent() -> None:
    Bus().emit(Event("started", "q"))


def test_unreadable_replies_are_counted_and_repaired_once() -> None:
    text = """\
name: p
answer: number
models: {m: {model: scripted/x, max_draws: 1}}
steps:
  drafts: {op: generate, n: 4}
  checked: {op: verify}
  answer: {op: vote, weight: verify}
"""

    def reply(request: Request, draw: Draw) -> str:
        if request.purpose.role != "verify":
            return "the answer is 4"
        if draw.index == nth(1):
            return "no JSON here"
        if draw.index == nth(2) and request.turn == 0:
            return '{"verdict": "maybe"}'
        return json.dumps({"reason": "so", "verdict": "right"})

    def nth(index: int) -> int:
        return index * (index + 1) // 2

    result, backend = solo(text, reply, keep=True)
    unreadable = [e for e in result.trace if e.what == "unreadable"]
    assert [(e.step, e.place) for e in unreadable] == [("checked", 1)]
    assert unreadable[0].data["why"] == "it holds no JSON"
    assert unreadable[0].data["text"] == "no JSON here"
    turns = sorted((r.draws[0].index, r.turn) for r in backend.log.seen if r.step == "checked")
    assert turns == [(0, 0), (nth(1), 0), (nth(1), 1), (nth(2), 0), (nth(2), 1), (nth(3), 0)]
    repair = next(r for r in backend.log.seen if r.turn == 1 and r.draws[0].index == nth(2))
    assert "could not be read" in repair.messages[-1].text
    assert repair.messages[-2].text == '{"verdict": "maybe"}'
    assert result.best is not None
    assert result.best.notes["votes"] == [["4", 3.0]]
    (note,) = [e.data for e in result.trace if e.what == "noted"]
    assert note["no_weight"] == 1
    assert result.usage.calls == 4 + 6


def test_nothing_left_is_no_answer_and_is_told() -> None:
    text = """\
name: p
answer: number
models: {m: scripted/x}
steps:
  drafts: {op: generate, n: 3}
  checked: {op: verify}
  answer: {op: select, by: verify}
"""

    def reply(request: Request, draw: Draw) -> str:
        return "the answer is 4" if request.purpose.role == "solve" else "hm"

    events: list[Event] = []
    with pytest.raises(NoAnswer, match="p ended without a candidate"):
        simulate(compiled(text), {"m": Scripted(reply)}, listeners=[events.append])
    assert [e.what for e in events][-1] == "failed"


def test_an_abstention_is_a_result() -> None:
    text = """\
name: p
answer: number
models: {m: scripted/x}
steps:
  drafts: {op: generate, n: 3}
  answer: {op: vote, otherwise: none}
"""
    result, _ = solo(text, lambda request, draw: "no idea")
    assert result.candidates == ()
    assert result.answer is None
    assert result.best is None
    assert str(result) == ""


def test_scripts_that_run_out_say_so() -> None:
    text = """\
name: p
models: {m: {model: scripted/x, options: {replies: [{texts: [a, b]}]}}}
steps:
  drafts: {op: generate, n: 3}
output: {from: drafts, keep: 3}
"""
    with pytest.raises(StepFailed) as caught:
        simulate(compiled(text), {})
    assert isinstance(caught.value.__cause__, NotRecorded)


def test_bad_questions_are_refused_before_anything_runs() -> None:
    backend = Scripted(steady)
    for question in ("", "   ", [], [{"role": "robot", "content": "x"}], {"wrong": "x"}):
        with pytest.raises(InputError):
            simulate(compiled(SIXTEEN % 1), {"m": backend}, question=question)  # type: ignore[arg-type]
    assert backend.log.asked == 0


def test_a_stream_that_is_left_early_leaves_nothing_running() -> None:
    backend = Scripted(steady, latency=5.0)

    async def main() -> list[str]:
        told = []
        async with Session(compiled(SIXTEEN % 1), backends={"m": backend}) as session:
            events = session.stream("q?")
            async for event in events:
                assert isinstance(event, Event)
                told.append(event.what)
                if len(told) == 3:
                    break
            await events.aclose()  # type: ignore[attr-defined]
            assert asyncio.all_tasks() == {asyncio.current_task()}
        return told

    assert run(main()) == ["started", "asked", "asked"]
    assert backend.log.under_way == 0
    assert backend.log.finished == 0
