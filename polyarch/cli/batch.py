"""A file of questions, one a line: answered many at once, written in order as they are ready."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    aclosing,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..compiler.affordable import refuse_unaffordable
from ..compiler.errors import InputError, PolyarchError, RunError
from ..compiler.plan import Plan
from ..compiler.spec import Budget
from ..runtime.events import Listener
from ..runtime.keys import allowed_keys, refuse_keys
from ..runtime.ledger import BATCH, Ledger
from ..runtime.ordered import in_order
from ..runtime.progress import Progress, shown
from ..runtime.result import Result
from ..runtime.session import Session
from ..runtime.store import Store
from ..runtime.tools.toolbox import granted
from .errors import of_file, opened
from .journal import journal, spent
from .lines import Line, check, is_file, read
from .stores import cache, tracing
from .voice import aside

__all__ = ["Batch", "answer_all"]


@dataclass(frozen=True, slots=True)
class Batch:
    """A file of questions to be answered. `cached` uses the cache of replies, too; `trace` is a
    file for events."""

    source: str
    out: str
    seed: int = 0
    concurrency: int = 64
    cached: bool = False
    trace: str | None = None
    budget: Budget | None = None
    """For all questions together, beside the pipeline's own for each."""
    allowed: tuple[str, ...] = ()
    """The tools that may be called."""
    keys: tuple[str, ...] = ()
    """The environment variables whose keys may be sent."""
    keep_going: bool = False
    """Whether a question that fails is a line with its error, and the others are answered."""
    overwrite: bool = False
    """Whether an output that is finished, or something else, is written over."""
    allow_unsandboxed: bool = False

    @property
    def resumable(self) -> bool:
        """Whether it can be taken up again: from a regular file to a regular file."""
        return is_file(self.source) and (is_file(self.out) or not Path(self.out).exists())


async def answer_all(plan: Plan, batch: Batch, progress: Progress | None) -> None:
    """Answer every question of a file; nothing is asked before the whole file can be read.

    Standard input and pipes are checked line by line as they come. From file to file, a batch that
    was interrupted goes on where it stopped and pays for nothing that had arrived. Raises
    `RunError` in the end if questions failed and it kept going.
    """
    plan.refuse()
    refuse_keys(plan.graph.models, allowed_keys(batch.keys))
    _differ(batch.source, batch.out)
    count = check(batch.source, plan.graph.question)
    if count == 0:
        aside(f"{batch.source}: no questions")
    if batch.budget is not None:
        refuse_unaffordable(plan, batch.budget, "the budget of the batch", count or 0)
    if progress is not None:
        progress.total = count
    with ExitStack() as open_files:
        stores, done = [], 0
        if batch.out != "-" and batch.resumable:
            source, out = Path(batch.source), Path(batch.out)
            kept = journal(plan, source, out, batch.seed, overwrite=batch.overwrite)
            begun = open_files.enter_context(kept)
            stores.append(Store(begun.cache, paid=True))
            done = begun.done
        listeners: list[Listener] = [] if progress is None else [progress]
        stores += open_files.enter_context(cache(batch.cached))
        listeners += open_files.enter_context(tracing(batch.trace, plan))
        if done:
            aside(f"going on after {done:,} of {count:,} answers")
        if progress is not None:
            progress.done = done
        write = open_files.enter_context(_sink(batch.out, append=done > 0))
        account = Ledger(BATCH, batch.budget or Budget())
        if done:
            account.settle(None, spent(Path(batch.out)))
        session = Session(
            plan,
            listeners=listeners,
            stores=stores,
            tools=granted(allowed=batch.allowed),
            keys=batch.keys,
            allow_unsandboxed=batch.allow_unsandboxed,
        )
        async with session, _showing(progress):
            failed = await _answer(session, plan, batch, done, account, write)
        if failed:
            # An error, so that the journal stays for those to be asked again.
            resumable = batch.out != "-" and batch.resumable
            again = "; the same command asks them again" if resumable else ""
            raise RunError(f"{failed:,} question{'s' * (failed > 1)} failed{again}")


async def _answer(
    session: Session,
    plan: Plan,
    batch: Batch,
    done: int,
    account: Ledger,
    write: Callable[[bytes], None],
) -> int:
    """Answer the lines that are left; how many failed."""

    async def ask(line: Line) -> Result:
        """The answer; an error says which line it is about."""
        try:
            return await session.ask(
                line.question, seed=batch.seed, batch=account, keep_going=batch.keep_going
            )
        except PolyarchError as error:
            error.add_note(f"{line.where}, question {line.question.id!r}")
            raise

    lines = _after(done, read(batch.source, plan.graph.question))
    return await _written(in_order(ask, lines, batch.concurrency), write)


async def _after(done: int, lines: AsyncGenerator[Line, None]) -> AsyncGenerator[Line, None]:
    """The lines but for the first ones."""
    async with aclosing(lines):
        async for line in lines:
            if done > 0:
                done -= 1
            else:
                yield line


def _showing(progress: Progress | None) -> AbstractAsyncContextManager[object]:
    return nullcontext() if progress is None else shown(progress)


def _differ(source: str, out: str) -> None:
    if is_file(source) and is_file(out) and Path(source).samefile(out):
        raise InputError(f"{out} holds the questions; write the answers to another file")


@contextmanager
def _sink(out: str, *, append: bool) -> Iterator[Callable[[bytes], None]]:
    """Where answers go: whole lines, flushed one by one."""
    if out == "-":
        yield partial(_write, out, sys.stdout.buffer)
        return
    with opened(out, "ab" if append else "wb") as stream:
        yield partial(_write, out, stream)


def _write(out: str, stream: BinaryIO, line: bytes) -> None:
    # A broken pipe on standard output is click's to end quietly.
    with nullcontext() if out == "-" else of_file(out):
        stream.write(line)
        stream.flush()


async def _written(
    answers: AsyncGenerator[tuple[Line, Result], None], write: Callable[[bytes], None]
) -> int:
    failed = 0
    async with aclosing(answers):
        async for _, result in answers:
            failed += result.error is not None
            line = json.dumps(result.record(), ensure_ascii=False) + "\n"
            # Half a surrogate pair is no UTF-8; with a backslash it is valid JSON again.
            write(line.encode("utf-8", "backslashreplace"))
    return failed
