"""A file of questions, one a line: answered many at once, written in order as they are ready."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click

from ..compiler.errors import InputError, PolyarchError
from ..compiler.plan import Plan
from ..runtime.progress import Progress, shown
from ..runtime.result import Result
from ..runtime.session import Session
from .errors import of_file, opened
from .lines import Line, check, is_file, read

__all__ = ["answer_all"]

_AHEAD = 8
"""Answers kept waiting for a slower one before them, as a multiple of the concurrency."""


async def answer_all(
    plan: Plan, source: str, out: str, seed: int, concurrency: int, progress: Progress | None
) -> None:
    """Answer every question of a file; nothing is asked before the whole file can be read.

    Standard input and pipes are checked line by line as they come.
    """
    plan.refuse()
    _differ(source, out)
    count = check(source, plan.graph.question)
    if count == 0:
        click.echo(f"{source}: no questions", err=True)
    if progress is not None:
        progress.total = count
    listeners = [] if progress is None else [progress]
    async with Session(plan, listeners=listeners) as session, _showing(progress):

        async def ask(line: Line) -> Result:
            return await session.ask(line.question, seed=seed)

        with _sink(out) as write:
            await _written(_in_order(ask, read(source, plan.graph.question), concurrency), write)


def _showing(progress: Progress | None) -> AbstractAsyncContextManager[object]:
    return nullcontext() if progress is None else shown(progress)


def _differ(source: str, out: str) -> None:
    if is_file(source) and is_file(out) and Path(source).samefile(out):
        raise InputError(f"{out} holds the questions; write the answers to another file")


@contextmanager
def _sink(out: str) -> Iterator[Callable[[bytes], None]]:
    """Where answers go: whole lines, flushed one by one."""
    if out == "-":
        yield partial(_write, out, sys.stdout.buffer)
        return
    with opened(out, "wb") as stream:
        yield partial(_write, out, stream)


def _write(out: str, stream: BinaryIO, line: bytes) -> None:
    # A broken pipe on standard output is click's to end quietly.
    with nullcontext() if out == "-" else of_file(out):
        stream.write(line)
        stream.flush()


async def _written(answers: AsyncGenerator[Result, None], write: Callable[[bytes], None]) -> None:
    async with aclosing(answers):
        async for result in answers:
            line = json.dumps(result.record(), ensure_ascii=False) + "\n"
            # Half a surrogate pair is no UTF-8; with a backslash it is valid JSON again.
            write(line.encode("utf-8", "backslashreplace"))


class _Asked(NamedTuple):
    line: Line
    answer: asyncio.Task[Result]


async def _in_order(
    ask: Callable[[Line], Coroutine[Any, Any, Result]],
    lines: AsyncGenerator[Line, None],
    concurrency: int,
) -> AsyncGenerator[Result, None]:
    """Answers in the order asked, `concurrency` questions under way; the first error ends it.

    Unlike `Session.map`, an answer is given out while the next question is still awaited: whoever
    writes questions into a pipe may wait for an answer before writing the next.
    """
    asked: asyncio.Queue[_Asked | None] = asyncio.Queue()
    room = asyncio.Semaphore(_AHEAD * concurrency)
    under_way: set[asyncio.Task[Result]] = set()
    starting = asyncio.create_task(_start(ask, lines, concurrency, room, asked, under_way))
    starting.add_done_callback(lambda _: asked.put_nowait(None))
    try:
        while (one := await asked.get()) is not None:
            yield await _named(one)
            under_way.discard(one.answer)
            room.release()
        await starting
    finally:
        for task in (starting, *under_way):
            task.cancel()
        await asyncio.gather(starting, *under_way, return_exceptions=True)


async def _start(
    ask: Callable[[Line], Coroutine[Any, Any, Result]],
    lines: AsyncGenerator[Line, None],
    concurrency: int,
    room: asyncio.Semaphore,
    asked: asyncio.Queue[_Asked | None],
    under_way: set[asyncio.Task[Result]],
) -> None:
    """Ask each question as soon as fewer than `concurrency` are under way and there is room."""
    free = asyncio.Semaphore(concurrency)
    async with aclosing(lines):
        async for line in lines:
            await room.acquire()
            await free.acquire()
            task = asyncio.create_task(ask(line))
            task.add_done_callback(lambda _: free.release())
            under_way.add(task)
            asked.put_nowait(_Asked(line, task))


async def _named(one: _Asked) -> Result:
    """The answer; an error says which line it is about."""
    try:
        return await one.answer
    except PolyarchError as error:
        error.add_note(f"{one.line.where}, question {one.line.question.id!r}")
        raise
