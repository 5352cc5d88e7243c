"""A file of questions, one a line: answered many at once, written in order as they are ready."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import BinaryIO

import click

from ..compiler.errors import InputError, PolyarchError
from ..compiler.plan import Plan
from ..runtime.ordered import in_order
from ..runtime.progress import Progress, shown
from ..runtime.result import Result
from ..runtime.session import Session
from .errors import of_file, opened
from .lines import Line, check, is_file, read

__all__ = ["answer_all"]


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
            """The answer; an error says which line it is about."""
            try:
                return await session.ask(line.question, seed=seed)
            except PolyarchError as error:
                error.add_note(f"{line.where}, question {line.question.id!r}")
                raise

        lines = read(source, plan.graph.question)
        with _sink(out) as write:
            await _written(in_order(ask, lines, concurrency), write)


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


async def _written(
    answers: AsyncGenerator[tuple[Line, Result], None], write: Callable[[bytes], None]
) -> None:
    async with aclosing(answers):
        async for _, result in answers:
            line = json.dumps(result.record(), ensure_ascii=False) + "\n"
            # Half a surrogate pair is no UTF-8; with a backslash it is valid JSON again.
            write(line.encode("utf-8", "backslashreplace"))
