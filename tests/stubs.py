"""Pipelines that call stub tools, in virtual time: schedules are exact."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sim import compiled

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.runtime.events import Event, Listener
from polyarch.runtime.result import Result
from polyarch.runtime.session import Session
from polyarch.runtime.store import Store
from polyarch.runtime.tools.toolbox import granted
from polyarch.runtime.virtual import run

__all__ = ["answered", "called", "pipeline", "spans", "streamed"]


def pipeline(names: Iterable[str], step: str = "", **tools: str) -> str:
    """A pipeline of one step `tools`, over tools handed over; `tools` says more of one."""
    known = "".join(f"  {name}: {{given: true{tools.get(name, '')}}}\n" for name in names)
    return f"""\
name: p
models: {{m: scripted/x}}
answer: text
tools:
{known}steps:
  answer: {{op: tools{step}}}
"""


def streamed(*parts: str | float, fault: Any = None) -> Script:
    """A reply in parts; a number is the wait before the next one."""
    made: list[tuple[float, str]] = []
    wait = 0.0
    for part in parts:
        if isinstance(part, str):
            made.append((wait, part))
            wait = 0.0
        else:
            wait += part
    return Script(parts=(*made, (wait, "")) if wait else tuple(made), fault=fault)


def answered(
    text: str,
    reply: Callable[[Request, Draw], str | Script],
    tools: Mapping[str, Callable[..., Any]],
    *,
    allowed: Sequence[str] = (),
    keep: bool = False,
    listeners: Iterable[Listener] = (),
    stores: Iterable[Store] = (),
    question: str = "How much?",
) -> tuple[Result, Scripted]:
    """Answer one question in virtual time; nothing may be left running, whatever happened."""
    backend = Scripted(reply, keep=keep)

    async def main() -> Result:
        session = Session(
            compiled(text),
            backends={"m": backend},
            listeners=listeners,
            stores=stores,
            tools=granted(tools, allowed),
        )
        try:
            return await session.ask(question, id="q")
        finally:
            await session.aclose()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert backend.log.under_way == 0

    return run(main()), backend


def called(result: Result) -> list[Event]:
    """What the trace tells of calls of tools."""
    return [event for event in result.trace if event.what == "called"]


def spans(result: Result) -> dict[int, tuple[float, float]]:
    """When each call began and ended, by its number in the order made."""
    return {
        int(str(event.data["ask"])): (event.at - float(str(event.data["seconds"])), event.at)
        for event in called(result)
    }
