"""A pipeline as a Python callable."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from weakref import WeakKeyDictionary, finalize

from .backends.base import Backend
from .compiler.build import build, build_file
from .compiler.op import Amount
from .compiler.plan import Plan, plan
from .compiler.source import parse
from .compiler.spec import Budget
from .compiler.verify import ANY_QUESTION
from .runtime.cache import Cache
from .runtime.session import OnError, Session
from .runtime.store import Store
from .runtime.tools.toolbox import granted

if TYPE_CHECKING:
    from .compiler.graph import Graph
    from .runtime.events import Event, Listener
    from .runtime.questions import Asked
    from .runtime.result import Result

__all__ = ["Pipeline", "load", "loads"]


def load(
    path: str | Path,
    *,
    question_tokens: int | None = None,
    keys: Iterable[str] = (),
    allow_unsandboxed: bool = False,
    tools: Mapping[str, Callable[..., Any]] | None = None,
    allow_tools: Iterable[str] = (),
) -> Pipeline:
    """Compile the pipeline in a YAML file. Raises `SpecError` with every fault of the file.

    `question_tokens` is the longest question to price for; 512 if left out. `keys` are the
    environment variables whose keys it may send to the servers that it names. `allow_unsandboxed`
    grants steps that say `sandbox: none` what they ask for, `tools` and `allow_tools` grant tools,
    as `Pipeline` has it.
    """
    made = _plan(build_file(Path(path)), question_tokens)
    return Pipeline(
        made,
        keys=keys,
        allow_unsandboxed=allow_unsandboxed,
        tools=tools,
        allow_tools=allow_tools,
    )


def loads(
    text: str,
    *,
    folder: str | Path = ".",
    question_tokens: int | None = None,
    keys: Iterable[str] = (),
    tools: Mapping[str, Callable[..., Any]] | None = None,
    allow_tools: Iterable[str] = (),
) -> Pipeline:
    """Compile a pipeline from YAML text; `file:` names are looked up in `folder`. See `load`."""
    made = _plan(build(parse(text), Path(folder)), question_tokens)
    return Pipeline(made, keys=keys, tools=tools, allow_tools=allow_tools)


def _plan(graph: Graph, question_tokens: int | None) -> Plan:
    return plan(graph, Amount(1, question_tokens) if question_tokens else ANY_QUESTION)


_Sessions: TypeAlias = "WeakKeyDictionary[asyncio.AbstractEventLoop, Session]"


class Pipeline:
    """A compiled pipeline. Call it with a question: a text, a chat or a record.

    Calls, `map` and `close` are for code without an event loop; `acall`, `amap` and `stream` are
    for code inside one. Models open on first use and stay open until `close` or `aclose`.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        backends: Mapping[str, Backend] | None = None,
        listeners: Iterable[Listener] = (),
        cache: Cache | None = None,
        keys: Iterable[str] = (),
        allow_unsandboxed: bool = False,
        tools: Mapping[str, Callable[..., Any]] | None = None,
        allow_tools: Iterable[str] = (),
    ) -> None:
        """`backends` are ready ones by model name, instead of those the plan would open; `cache`
        keeps replies for later runs, too. Both stay the caller's to close. `keys` are the
        environment variables whose keys it may send to the servers that it names.
        `allow_unsandboxed` grants steps that say `sandbox: none` what they ask for.

        `tools` are functions, by the names of tools, to be called for them whatever the pipeline
        says they are; `allow_tools` names those that may be called as it says, or is `["all"]`. A
        pipeline that may call any other tool is refused when it is first asked: `PlanRefused`.
        """
        self.plan = plan
        self._grants = granted(tools, allow_tools)
        self._keys = tuple(keys)
        self._stores = (Store(cache),) if cache is not None else ()
        self._backends = backends
        self._listeners = tuple(listeners)
        self._allow_unsandboxed = allow_unsandboxed
        self._runner: asyncio.Runner | None = None
        self._closing: finalize[[asyncio.Runner, _Sessions], Pipeline] | None = None
        self._sessions: _Sessions = WeakKeyDictionary()

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.plan.graph.name

    def __call__(self, question: Asked, *, seed: int = 0, id: str = "") -> Result:
        """Answer one question.

        Equal seeds, questions and replies give equal results. Raises the errors of
        `polyarch.compiler.errors`.
        """
        return self._here().run(self.acall(question, seed=seed, id=id))

    async def acall(self, question: Asked, *, seed: int = 0, id: str = "") -> Result:
        """Answer one question, inside an event loop."""
        return await self._session().ask(question, seed=seed, id=id)

    def map(
        self,
        questions: Iterable[Asked],
        *,
        seed: int = 0,
        concurrency: int = 64,
        journal: str | Path | None = None,
        budget: Budget | None = None,
        on_error: OnError = "fail",
    ) -> Iterator[Result]:
        """Answer many questions, `concurrency` at once; results in the order asked.

        With `journal`, replies are kept in that file as they arrive: called again after an
        interruption, with the same seed and file, it pays for nothing that had arrived. `budget` is
        for all questions together, beside the pipeline's own for each. The first question that
        fails ends the batch; with `on_error="skip"` its result holds the `error`, and the others
        are answered.
        """
        runner = self._here()
        results = self.amap(
            questions,
            seed=seed,
            concurrency=concurrency,
            journal=journal,
            budget=budget,
            on_error=on_error,
        )
        try:
            while True:
                try:
                    yield runner.run(_next(results))
                except StopAsyncIteration:
                    return
        finally:
            runner.run(_close(results))

    async def amap(
        self,
        questions: Iterable[Asked] | AsyncIterable[Asked],
        *,
        seed: int = 0,
        concurrency: int = 64,
        journal: str | Path | None = None,
        budget: Budget | None = None,
        on_error: OnError = "fail",
    ) -> AsyncGenerator[Result, None]:
        """Answer many questions inside an event loop; results in the order asked. See `map`."""
        kept = None if journal is None else Cache(Path(journal))
        store = None if kept is None else Store(kept, paid=True)
        results = self._session().map(
            questions,
            seed=seed,
            concurrency=concurrency,
            journal=store,
            budget=budget,
            on_error=on_error,
        )
        try:
            async with aclosing(results):
                async for result in results:
                    yield result
        finally:
            if kept is not None:
                await asyncio.to_thread(kept.close)

    async def stream(
        self, question: Asked, *, seed: int = 0, id: str = ""
    ) -> AsyncIterator[Event | Result]:
        """Answer one question, telling every event as it happens; the result comes last."""
        async for told in self._session().stream(question, seed=seed, id=id):
            yield told

    def session(self, *, stores: Iterable[Store] = ()) -> Session:
        """A session of its own with this pipeline, which is the caller's to close. `stores` hold
        replies that need not be asked for, beside the pipeline's own."""
        return Session(
            self.plan,
            backends=self._backends,
            listeners=self._listeners,
            stores=(*self._stores, *stores),
            tools=self._grants,
            keys=self._keys,
            allow_unsandboxed=self._allow_unsandboxed,
        )

    def close(self) -> None:
        """Close the models that calls opened. Idempotent."""
        if self._closing is not None:
            self._closing()
            self._runner = self._closing = None

    async def aclose(self) -> None:
        """Close the models that were opened in this event loop. Idempotent."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<pipeline {self.name}: {', '.join(self.plan.graph.nodes)}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the graph."""
        from .compiler.emit.notebook import emit

        return emit(self.plan)

    def _here(self) -> asyncio.Runner:
        if self._runner is None:
            self._runner = asyncio.Runner()
            self._closing = finalize(self, _close_all, self._runner, self._sessions)
            # At the end of the interpreter there are no threads left to close models with.
            self._closing.atexit = False
        return self._runner

    def _session(self) -> Session:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            session = self.session()
            self._sessions[loop] = session
        return session


def _close_all(runner: asyncio.Runner, sessions: _Sessions) -> None:
    """Close what a pipeline opened in its own event loop, then the loop."""
    session = sessions.pop(runner.get_loop(), None)
    if session is not None:
        runner.run(session.aclose())
    runner.close()


async def _next(results: AsyncIterator[Result]) -> Result:
    return await anext(results)


async def _close(results: AsyncIterator[Result]) -> None:
    aclose = getattr(results, "aclose", None)
    if aclose is not None:
        await aclose()
