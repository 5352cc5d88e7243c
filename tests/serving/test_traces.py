"""Traces of recent requests stay within their bounds."""

from __future__ import annotations

from hosting import ONE
from sim import compiled

from polyarch.runtime.events import Event
from polyarch.server.pipelines.traces import Trace, Traces

PLAN = compiled(ONE)


def ended(traces: Traces, id: str, text: str = "") -> Trace:
    trace = traces.begin(id, PLAN)
    trace(Event("drew", "q", "draft", 0, 1.0, {"text": text, "tokens": 3}))
    trace.state = "ended"
    traces.settle(trace)
    return trace


def test_the_oldest_are_forgotten() -> None:
    traces = Traces(most=3)
    for number in range(5):
        ended(traces, str(number))
    assert [trace.id for trace in traces] == ["4", "3", "2"]
    assert traces.get("1") is None
    assert traces.get("4") is not None


def test_so_are_those_that_are_too_much() -> None:
    traces = Traces(characters=10_000)
    for number in range(20):
        ended(traces, str(number), "x" * 3_000)
    assert [trace.id for trace in traces] == ["19", "18"]
    running = traces.begin("long", PLAN)
    running(Event("started", "q", data={"question": {"text": "y" * 20_000}}))
    assert traces.get("long") is running
    traces.settle(running)
    assert len(traces) == 0
    ended(traces, "after")
    assert [trace.id for trace in traces] == ["after"]


def test_none_are_kept_where_none_are_wanted() -> None:
    traces = Traces(most=0)
    assert ended(traces, "one").id == "one"
    assert len(traces) == 0


def test_events_are_told_without_secrets() -> None:
    trace = ended(Traces(), "one", "my key is sk-0123456789abcdef")
    (told,) = trace.told()
    assert told == {
        "at": 1.0,
        "what": "drew",
        "question": "q",
        "step": "draft",
        "place": 0,
        "data": {"text": "my key is [redacted]", "tokens": 3},
    }
