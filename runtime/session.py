"""A pipeline at work: models opened once, any number of questions, results in order."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
)
from contextlib import aclosing
from types import TracebackType
from typing import Literal, Self, TypeAlias

from ..backends.base import Backend
from ..compiler.execution import Executor
from ..compiler.plan import Plan
from ..compiler.spec import Budget
from ..compiler.unpriced import refuse_dollars
from ..compiler.values import Question
from .events import Bus, Event, Listener
from .executor import Program
from .executors import Executors, refuse_unconfined
from .keys import allowed_keys, refuse_keys
from .ledger import BATCH, Ledger
from .models import Models
from .ordered import in_order
from .questions import Asked, as_question
from .result import Result
from .state import Watching
from .store import Store
from .tools.calling import Caller
from .tools.toolbox import NO_GRANTS, Grants, Toolbox

__all__ = ["OnError", "Session"]

OnError: TypeAlias = Literal["fail", "skip"]
"""What becomes of a batch when a question fails: it ends, or goes on without its answer."""


class Session:
    """Answers questions with one plan, inside one event loop. An async context manager.

    Models open on first use and close with the session. Refuses a plan whose lower bound does not
    fit its budget, or would send a key that nobody allowed: `PlanRefused`.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        backends: Mapping[str, Backend] | None = None,
        listeners: Iterable[Listener] = (),
        stores: Iterable[Store] = (),
        tools: Grants | Caller = NO_GRANTS,
        keys: Iterable[str] = (),
        executor: Executor | None = None,
        allow_unsandboxed: bool = False,
    ) -> None:
        """`backends` are ready ones by model name, instead of those the plan would open; `stores`
        hold replies that need not be asked for. Both stay the caller's to close. `keys` are the
        environment variables whose keys the plan's models may send. `executor` runs programs
        instead of the sandbox; `allow_unsandboxed` lets steps that say so run them with nothing
        around them. `tools` are grants, or what a trace holds of their calls. Raises `PlanRefused`,
        also for a tool that was not granted."""
        plan.refuse()
        if not allow_unsandboxed:
            refuse_unconfined(plan)
        self._executors = Executors(executor)
        allowed = allowed_keys(keys)
        self._tools = Toolbox(plan, tools, allowed) if isinstance(tools, Grants) else tools
        ready = backends or {}
        opened = {name: spec for name, spec in plan.graph.models.items() if name not in ready}
        refuse_keys(opened, allowed)
        self._stores = tuple(stores)
        self.plan = plan
        self._program = Program(plan)
        self._models = Models(plan.graph.models, backends)
        self._listeners = tuple(listeners)

    async def ask(
        self,
        question: Asked,
        *,
        seed: int = 0,
        id: str = "",
        listeners: Iterable[Listener] = (),
        journal: Store | None = None,
        batch: Ledger | None = None,
        keep_going: bool = False,
        writing: Callable[[int, str], None] | None = None,
        watching: Watching | None = None,
    ) -> Result:
        """Answer one question. Raises `InputError`, and what the run raises unless `keep_going`:
        then that is the result's `error`, but for a batch whose budget is spent.

        `writing` is told the place of a candidate and the next part of its text while the last step
        writes it, where that step draws each candidate by a request of its own and makes nothing
        else of the reply. Such a request is not tried again once something of it was told.
        `watching` is told step, place and part of every text, and changes nothing.
        """
        shaped = as_question(question, self.plan.graph.question, id)
        bus = Bus((*self._listeners, *listeners))
        stores = self._stores if journal is None else (journal, *self._stores)
        return await self._program.run(
            shaped,
            self._models,
            seed,
            bus,
            stores,
            self._tools,
            batch,
            self._executors,
            keep_going=keep_going,
            writing=writing,
            watching=watching,
        )

    async def map(
        self,
        questions: Iterable[Asked] | AsyncIterable[Asked],
        *,
        seed: int = 0,
        concurrency: int = 64,
        journal: Store | None = None,
        budget: Budget | None = None,
        on_error: OnError = "fail",
    ) -> AsyncGenerator[Result, None]:
        """Answer many questions, at most `concurrency` at once; results in the order asked.

        Questions are taken from the iterable only as they can be started, so memory does not grow
        with their number. The first error ends the batch and stops the others; with `skip`, a
        question that fails is a result with its `error`, in its place. `journal` keeps what
        arrives, and what it already holds is not asked for again. `budget` is for all of them
        together, beside the pipeline's own for each; it may limit dollars only where all prices
        are known: `PlanRefused`.
        """
        if budget is not None:
            refuse_dollars(self.plan.graph, budget)
        batch = None if budget is None else Ledger(BATCH, budget)
        skip = on_error == "skip"

        async def answer(numbered: tuple[int, Asked]) -> Result:
            number, question = numbered
            id = question.id if isinstance(question, Question) else str(number)
            return await self.ask(
                question, seed=seed, id=id, journal=journal, batch=batch, keep_going=skip
            )

        async with aclosing(in_order(answer, _numbered(questions), concurrency)) as answers:
            async for _, result in answers:
                yield result

    async def stream(
        self, question: Asked, *, seed: int = 0, id: str = ""
    ) -> AsyncIterator[Event | Result]:
        """Answer one question, telling every event as it happens; the result comes last."""
        told: asyncio.Queue[Event | None] = asyncio.Queue()
        task = asyncio.create_task(
            self.ask(question, seed=seed, id=id, listeners=[told.put_nowait])
        )
        try:
            task.add_done_callback(lambda _: told.put_nowait(None))
            while (event := await told.get()) is not None:
                yield event
            yield task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def aclose(self) -> None:
        """Close every model and tool. Idempotent."""
        try:
            await self._models.aclose()
        finally:
            if isinstance(self._tools, Toolbox):
                await self._tools.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


async def _numbered(
    questions: Iterable[Asked] | AsyncIterable[Asked],
) -> AsyncGenerator[tuple[int, Asked], None]:
    number = 0
    if isinstance(questions, AsyncIterable):
        async for question in questions:
            yield number, question
            number += 1
    else:
        for question in questions:
            yield number, question
            number += 1
