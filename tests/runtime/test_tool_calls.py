"""Calls of tools: time-outs, retries, limits, budgets, what is kept, who may call."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from sim import compiled
from stubs import answered, called, pipeline, spans, streamed

import polyarch
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import BudgetExhausted, InputError, PlanRefused, StepFailed
from polyarch.runtime.cache import Cache
from polyarch.runtime.store import Store
from polyarch.runtime.trace.read import read
from polyarch.runtime.trace.replay import replay
from polyarch.runtime.trace.write import TraceWriter

IDEMPOTENT = ", idempotent: true"


def plan(text: str) -> Callable[[Request, Draw], str | Script]:
    return lambda request, draw: text if request.purpose.role == "plan" else "done"


def outcomes(result: polyarch.Result) -> list[Any]:
    notes: Any = result.candidates[0].notes["calls"]
    return [call.get("result", call.get("error")) for call in notes]


async def slow(seconds: float = 1.0) -> str:
    await asyncio.sleep(seconds)
    return "slow"


def test_a_call_may_take_its_time_and_no_more() -> None:
    cancelled = []

    async def stuck(n: int) -> str:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            cancelled.append(n)
            raise
        return ""

    text = pipeline(["stuck"], stuck=", timeout: 2")
    result, _ = answered(text, plan("1. stuck(1)\n2. stuck(2)"), {"stuck": stuck})
    assert outcomes(result) == ["no result within 2 s"] * 2
    assert result.seconds == pytest.approx(2.0)
    assert sorted(cancelled) == [1, 2]


def test_only_what_is_idempotent_is_tried_again() -> None:
    tries: dict[str, int] = {"once": 0, "again": 0}

    async def flaky(name: str) -> str:
        tries[name] += 1
        if tries[name] < 3:
            raise RuntimeError("busy")
        return "fine"

    async def once() -> str:
        return await flaky("once")

    async def again() -> str:
        return await flaky("again")

    text = pipeline(["once", "again"], again=f"{IDEMPOTENT}, retries: 2, usd: 1")
    result, _ = answered(text, plan("1. once()\n2. again()"), {"once": once, "again": again})
    assert outcomes(result) == ["RuntimeError: busy", "fine"]
    assert result.usage.usd == 3.0
    with pytest.raises(polyarch.SpecError, match="retries is for a tool with idempotent: true"):
        compiled(pipeline(["once"], once=", retries: 1"))


def test_wrong_arguments_are_not_tried_again_nor_charged() -> None:
    text = pipeline(["slow"], slow=f"{IDEMPOTENT}, retries: 3, usd: 1")
    result, _ = answered(text, plan('1. slow("x")'), {"slow": slow})
    assert outcomes(result) == ["argument seconds: 'x' is not of type 'number'"]
    assert result.usage.usd == 0.0


def test_so_many_calls_run_at_once() -> None:
    text = pipeline(["slow"], slow=", concurrency: 2")
    result, _ = answered(text, plan("1. slow()\n2. slow()\n3. slow()\n4. slow()"), {"slow": slow})
    assert result.seconds == pytest.approx(2.0)
    assert sorted(end for _, end in spans(result).values()) == pytest.approx([1, 1, 2, 2])


def test_calls_are_charged_and_the_budget_holds() -> None:
    text = pipeline(["slow"], slow=", usd: 0.4").replace("tools:", "budget: {usd: 1}\ntools:", 1)
    calls = "1. slow()\n2. slow(2)\n3. slow(3)"
    with pytest.raises(BudgetExhausted, match=r"may need 0\.4 usd"):
        answered(text, plan(calls), {"slow": slow})
    result, _ = answered(text, plan("1. slow()\n2. slow()"), {"slow": slow})
    assert result.usage.usd == pytest.approx(0.8)
    assert result.candidates[0].usage.usd == pytest.approx(0.8)


def test_the_time_of_the_budget_ends_calls() -> None:
    text = pipeline(["slow"]).replace("tools:", "budget: {seconds: 3}\ntools:", 1)
    with pytest.raises(BudgetExhausted, match="no answer within 3 seconds"):
        answered(text, plan("1. slow(10)"), {"slow": slow})
    best = text.replace("seconds: 3", "seconds: 3, on_budget: best")
    result, _ = answered(best, plan("1. slow(10)"), {"slow": slow})
    assert result.candidates == ()
    assert result.seconds == pytest.approx(3.0)


def test_results_are_kept_where_that_is_allowed(tmp_path: Path) -> None:
    made: list[int] = []

    async def count(n: int) -> int:
        made.append(n)
        await asyncio.sleep(0.5)
        return len(made)

    tools = {"kept": count, "fresh": count}
    text = pipeline(tools, kept=f"{IDEMPOTENT}, cache: true, usd: 1")
    calls = plan("1. kept(1)\n2. kept(n=1)\n3. fresh(1)\n4. kept(2)")
    cache = Cache(tmp_path / "cache")
    try:
        first, _ = answered(text, calls, tools, stores=[Store(cache)])
        second, _ = answered(text, calls, tools, stores=[Store(cache)])
        newer = text.replace("cache: true", "cache: true, version: b")
        third, _ = answered(newer, calls, tools, stores=[Store(cache)])
    finally:
        cache.close()
    assert outcomes(first)[0] == outcomes(first)[1]
    assert (first.usage.usd, second.usage.usd, third.usage.usd) == (2.0, 0.0, 2.0)
    assert len([event for event in called(second) if event.data.get("kept")]) == 3
    assert made == [1, 1, 2, 1, 1, 1, 2]


def test_a_journal_keeps_every_outcome_and_charges_it_again(tmp_path: Path) -> None:
    made: list[int] = []

    async def once(n: int) -> int:
        made.append(n)
        if n == 2:
            raise RuntimeError("no")
        return n

    text = pipeline(["once"], once=", usd: 1")
    journal = Cache(tmp_path / "journal")
    try:
        stores = [Store(journal, paid=True)]
        tools = {"once": once}
        first, _ = answered(text, plan("1. once(1)\n2. once(2)"), tools, stores=stores)
        again, _ = answered(text, plan("1. once(1)\n2. once(2)"), tools, stores=stores)
    finally:
        journal.close()
    assert sorted(made) == [1, 2]
    assert outcomes(again) == outcomes(first) == [1, "RuntimeError: no"]
    assert again.usage.usd == first.usage.usd == 2.0


def test_a_trace_is_replayed_without_a_tool(tmp_path: Path) -> None:
    async def search(query: str) -> dict[str, str]:
        await asyncio.sleep(0.5)
        if query == "bad":
            raise RuntimeError("no")
        return {"raw": "${1}", "found": query}

    text = pipeline(["search"], search=", usd: 0.25")
    written = streamed('1. search("a")\n', 1.0, '2. search("bad")\n3. search(${1.found})', 0.25)

    def reply(request: Request, draw: Draw) -> str | Script:
        return written if request.purpose.role == "plan" else "done"

    with TraceWriter(str(tmp_path / "trace"), compiled(text)) as writer:
        result, _ = answered(text, reply, {"search": search}, listeners=[writer])
    (again,) = replay(read(tmp_path / "trace"))
    assert str(again) == str(result) == "done"
    assert again.usage.usd == pytest.approx(0.75)
    assert [event.data.get("error", "") for event in called(again)] == [
        *["", "RuntimeError: no", ""],
    ]


def test_secrets_of_calls_do_not_reach_the_trace(tmp_path: Path) -> None:
    async def login(password: str) -> dict[str, str]:
        return {"token": "t" * 30}

    text = pipeline(["login"])
    with TraceWriter(str(tmp_path / "trace"), compiled(text)) as writer:
        answered(
            text, plan('1. login(password="hunter22222")'), {"login": login}, listeners=[writer]
        )
    called_lines = [x for x in (tmp_path / "trace").read_text().splitlines() if '"called"' in x]
    assert called_lines
    assert not any("hunter22222" in line or "tttttt" in line for line in called_lines)


# Grants.


def test_a_tool_that_nobody_granted_is_refused_before_anything_is_asked() -> None:
    text = pipeline(["f"]).replace("{given: true}", '{python: "calendar:isleap"}')
    backend = Scripted(plan("none"))
    with (
        polyarch.Pipeline(compiled(text), backends={"m": backend}) as made,
        pytest.raises(
            PlanRefused, match=r"tool 'f' \(python calendar:isleap\), which was not granted"
        ),
    ):
        made("?")
    assert backend.log.asked == 0
    for allowed in ("f", ["f"], ["all"]):
        with polyarch.Pipeline(
            compiled(text), backends={"m": backend}, allow_tools=allowed
        ) as made:
            assert str(made("?")) == "done"


def test_what_is_handed_over_stands_for_what_the_file_says() -> None:
    text = pipeline(["f"]).replace("{given: true}", '{python: "no.such:thing"}')
    result, _ = answered(text, plan("1. f(3)"), {"f": slow})
    assert outcomes(result) == ["slow"]
    with pytest.raises(StepFailed, match=r"cannot import no\.such:thing"):
        answered(text, plan("1. f(3)"), {}, allowed=["f"])


def test_a_tool_that_is_to_be_handed_over_has_to_be() -> None:
    with pytest.raises(PlanRefused, match="tool 'f' is handed over in Python"):
        answered(pipeline(["f"]), plan("none"), {}, allowed=["all"])


def test_a_grant_of_no_tool_is_told() -> None:
    with pytest.raises(InputError, match="p has no tool 'serch'; did you mean \"search\""):
        answered(pipeline(["search"]), plan("none"), {"serch": slow})


def test_tools_of_a_pipeline_used_as_a_step_keep_apart(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(
        pipeline(["f"], f=", usd: 1").replace("scripted/x", "scripted/y")
    )
    outer = """\
name: outer
models: {m: scripted/x}
answer: text
tools: {f: {given: true}}
steps:
  one: {op: pipeline, file: inner.yaml}
  two: {op: tools}
  best: {op: select, by: first, from: [one, two]}
"""
    made = compiled(outer, tmp_path)
    assert made.graph.called == ("f", "one.f")
    assert made.graph.nodes["one.answer"].op.tool_names() == ("one.f",)
    assert made.graph.nodes["two"].op.tool_names() == ("f",)


# Python functions.


class Place(BaseModel):
    """A place."""

    lat: float
    lon: float = 0.0


def test_a_function_gets_what_its_signature_says() -> None:
    def near(place: Place, /, *, names: list[str]) -> str:
        return ""

    async def where(place: Place, names: tuple[str, ...] = ("a",), n: int | None = None) -> Place:
        assert isinstance(place, Place)
        assert isinstance(names, tuple)
        return Place(lat=place.lat + 1)

    result, _ = answered(
        pipeline(["where"]), plan('1. where({"lat": 2}, names=["x"])'), {"where": where}
    )
    assert outcomes(result) == [{"lat": 3.0, "lon": 0.0}]
    with pytest.raises(StepFailed, match=r"no schema for its arguments: .*positional-only"):
        answered(pipeline(["near"]), plan("none"), {"near": near})


def test_what_is_no_json_is_told() -> None:
    async def odd() -> object:
        return object()

    result, _ = answered(pipeline(["odd"]), plan("1. odd()"), {"odd": odd})
    assert outcomes(result)[0].startswith("it returned what is no JSON")


def test_plain_functions_run_in_threads_and_hold_nobody_up() -> None:
    release = threading.Event()

    def block(n: int) -> int:
        release.wait(20)
        return n

    def quick(n: int) -> int:
        return n + 1

    text = pipeline(["block", "quick"], block=", timeout: 0.3")
    backend = Scripted(plan("1. block(1)\n2. quick(2)\n3. quick(3)"))
    start = time.monotonic()
    with polyarch.Pipeline(
        compiled(text), backends={"m": backend}, tools={"block": block, "quick": quick}
    ) as made:
        assert outcomes(made("?")) == ["no result within 0.3 s", 3, 4]
    assert time.monotonic() - start < 10
    release.set()


class Counter:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, by: int = 1) -> int:
        """Count on."""
        self.count += by
        return self.count


def test_an_object_that_can_be_called_is_a_tool() -> None:
    result, _ = answered(pipeline(["c"]), plan("1. c()\n2. c(by=${1})"), {"c": Counter()})
    assert outcomes(result) == [1, 2]
