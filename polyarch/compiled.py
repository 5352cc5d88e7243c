"""What a module written by `polyarch compile --emit python` is made of.

Light on purpose: such a module imports nothing else, and its pipeline is built, priced and checked
against its lock when it is first asked something.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .compiler.locked import Lock, Source, Step, step

if TYPE_CHECKING:
    from .compiler.plan import Plan
    from .compiler.values import Json
    from .pipeline import Pipeline
    from .runtime.events import Event
    from .runtime.questions import Asked
    from .runtime.result import Result

__all__ = ["Compiled", "Lock", "Source", "Step", "compiled", "step"]


def compiled(
    lock: Lock,
    *,
    name: str,
    about: str = "",
    source: str = "",
    question: Mapping[str, Json] | None = None,
    question_tokens: tuple[int, int],
    models: Mapping[str, Mapping[str, Json]],
    answer: str | Mapping[str, Json],
    budgets: Mapping[str, Mapping[str, Json]] | None = None,
    steps: Sequence[Step],
    output: str,
    keep: int = 1,
    notes: Sequence[str] = (),
    tools: Mapping[str, Mapping[str, Json]] | None = None,
) -> Compiled:
    """A compiled pipeline, nothing of it built yet."""
    return Compiled(
        Source(
            lock,
            name,
            about,
            source,
            question or {},
            question_tokens,
            models,
            answer,
            budgets or {},
            steps,
            output,
            keep,
            tuple(notes),
            tools or {},
        )
    )


class Compiled:
    """A pipeline of a compiled module; used as `polyarch.Pipeline` is.

    Built on first use, which raises `VersionMismatch` if the installed polyarch cannot run it as
    it was compiled, or if it was edited since.
    """

    def __init__(
        self,
        source: Source,
        *,
        tools: Mapping[str, Callable[..., Any]] | None = None,
        allow_tools: Iterable[str] = (),
    ) -> None:
        self.source = source
        self._tools = tools
        self._allowed = allow_tools

    def granting(
        self,
        tools: Mapping[str, Callable[..., Any]] | None = None,
        allow_tools: Iterable[str] = (),
    ) -> Compiled:
        """The same pipeline with these tools granted, as `polyarch.Pipeline` has it."""
        return Compiled(self.source, tools=tools, allow_tools=allow_tools)

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.source.name

    @property
    def lock(self) -> Lock:
        """What it was when it was compiled."""
        return self.source.lock

    @cached_property
    def pipeline(self) -> Pipeline:
        """The pipeline itself. Raises `VersionMismatch`."""
        from .compiler.rebuild import rebuild
        from .pipeline import Pipeline

        return Pipeline(rebuild(self.source), tools=self._tools, allow_tools=self._allowed)

    @property
    def plan(self) -> Plan:
        """The plan, priced again. Raises `VersionMismatch`."""
        return self.pipeline.plan

    def __call__(self, question: Asked, *, seed: int = 0, id: str = "") -> Result:
        """Answer one question."""
        return self.pipeline(question, seed=seed, id=id)

    async def acall(self, question: Asked, *, seed: int = 0, id: str = "") -> Result:
        """Answer one question, inside an event loop."""
        return await self.pipeline.acall(question, seed=seed, id=id)

    def map(
        self, questions: Iterable[Asked], *, seed: int = 0, concurrency: int = 64
    ) -> Iterator[Result]:
        """Answer many questions, `concurrency` at once; results in the order asked."""
        return self.pipeline.map(questions, seed=seed, concurrency=concurrency)

    def amap(
        self,
        questions: Iterable[Asked] | AsyncIterable[Asked],
        *,
        seed: int = 0,
        concurrency: int = 64,
    ) -> AsyncIterator[Result]:
        """Answer many questions inside an event loop; results in the order asked."""
        return self.pipeline.amap(questions, seed=seed, concurrency=concurrency)

    def stream(
        self, question: Asked, *, seed: int = 0, id: str = ""
    ) -> AsyncIterator[Event | Result]:
        """Answer one question, telling every event as it happens; the result comes last."""
        return self.pipeline.stream(question, seed=seed, id=id)

    def close(self) -> None:
        """Close the models that calls opened. Idempotent."""
        if "pipeline" in vars(self):
            self.pipeline.close()

    async def aclose(self) -> None:
        """Close the models that were opened in this event loop. Idempotent."""
        if "pipeline" in vars(self):
            await self.pipeline.aclose()

    def __repr__(self) -> str:
        return f"<compiled pipeline {self.name}: {', '.join(s.name for s in self.source.steps)}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the graph. Raises `VersionMismatch`."""
        return self.pipeline._repr_html_()
