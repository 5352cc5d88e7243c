"""A pipeline at work for one request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

from ...compiler.errors import PolyarchError
from ...compiler.secrets import Secrets
from ...compiler.values import Json
from ...runtime.events import Event, Listener
from ...runtime.ledger import Ledger
from ...runtime.result import Result
from ...runtime.trace.write import line
from ..served import Aside, Said
from .asked import Asked
from .hosted import Open
from .reply import Telling
from .traces import Trace

__all__ = ["Run"]


class Run:
    """What a client is told while a pipeline works, and when it has ended."""

    def __init__(
        self, opened: Open, wanted: Asked, ledger: Ledger, trace: Trace, *, writing: bool
    ) -> None:
        """Begin. `writing` says that the answer is told while it is written, where that can be."""
        self._wanted = wanted
        self._trace = trace
        self._ledger = ledger
        self._telling = Telling(wanted)
        self._secrets = Secrets() if wanted.progress else None
        self._told: asyncio.Queue[Said | None] = asyncio.Queue()
        listeners: list[Listener] = [trace]
        if wanted.progress:
            listeners.append(self._progress)
        self._task = asyncio.create_task(
            opened.session.ask(
                wanted.question,
                seed=wanted.seed,
                listeners=listeners,
                batch=ledger,
                writing=self._write if writing else None,
                watching=self._watch if wanted.progress and wanted.parts else None,
            )
        )
        self._task.add_done_callback(lambda _: self._told.put_nowait(None))

    async def said(self) -> AsyncGenerator[Said, None]:
        """What is told while it works, then the answer. Raises what the run raises."""
        while (said := await self._told.get()) is not None:
            yield said
        for said in self._telling.end(await self._task):
            yield said

    async def end(self) -> None:
        """Stop what is still under way, and settle the trace."""
        self._task.cancel()
        (outcome,) = await asyncio.gather(self._task, return_exceptions=True)
        trace = self._trace
        trace.usage = self._ledger.spent
        trace.seconds = trace.events[-1].at - trace.events[0].at if trace.events else 0.0
        match outcome:
            case Result():
                trace.state, trace.result = "ended", outcome
            case asyncio.CancelledError():
                trace.state = "cancelled"
            case _:
                trace.state = "failed"
                ours = isinstance(outcome, PolyarchError)
                trace.why = Secrets().text(str(outcome)) if ours else "internal"

    def _write(self, place: int, part: str) -> None:
        if (piece := self._telling.written(place, part)) is not None:
            self._told.put_nowait(piece)

    def _watch(self, step: str, place: int, part: str) -> None:
        data: Mapping[str, Json] = {"text": part}
        self._told.put_nowait(Aside({"what": "wrote", "step": step, "place": place, "data": data}))

    def _progress(self, event: Event) -> None:
        assert self._secrets is not None
        self._told.put_nowait(Aside(self._secrets.clean(line(event))))
