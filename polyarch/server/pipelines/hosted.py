"""Open pipelines by name, each replaced without a request noticing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

from ...compiler.errors import InputError, NoSuchModel
from ...compiler.names import nearest
from ...compiler.plan import Plan
from ...pipeline import Pipeline
from ...runtime.store import Store
from .traces import Traces

__all__ = ["Hosted", "Open"]


class Open:
    """One version of a pipeline, with its models open."""

    def __init__(self, pipeline: Pipeline, stores: Iterable[Store]) -> None:
        """Raises `PlanRefused`."""
        self.session = pipeline.session(stores=stores)
        self.since = time.time()
        """When it was opened, by the clock on the wall."""
        self.users = 0
        """Requests under way."""
        self.retired = False
        """Whether another version has taken its place."""

    @property
    def plan(self) -> Plan:
        """What it runs."""
        return self.session.plan

    @property
    def name(self) -> str:
        """What clients call it."""
        return self.plan.graph.name


class Hosted:
    """The pipelines that a server answers with, and the traces of recent requests."""

    def __init__(
        self,
        pipelines: Iterable[Pipeline],
        *,
        stores: Iterable[Store] = (),
        traces: Traces | None = None,
    ) -> None:
        """`stores` hold replies that need not be asked for; they stay the caller's to close.

        Raises `InputError` for two pipelines of one name, and `PlanRefused`.
        """
        self._stores = tuple(stores)
        self._open: dict[str, Open] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.traces = Traces() if traces is None else traces
        self.refused: dict[str, str] = {}
        """By name, why the file as it is now is not served; the version before it is."""
        for pipeline in pipelines:
            if pipeline.name in self._open:
                raise InputError(f"two pipelines are called {pipeline.name!r}")
            self._open[pipeline.name] = Open(pipeline, self._stores)

    def __iter__(self) -> Iterator[Open]:
        """What is open, as it is now."""
        return iter(list(self._open.values()))

    def __getitem__(self, name: str) -> Open:
        """The pipeline of that name as it is now, to be looked at. Raises `NoSuchModel`."""
        found = self._open.get(name)
        if found is None:
            hint = nearest(name, self._open)
            raise NoSuchModel(f"no pipeline {name!r} is served; {hint}".rstrip("; "))
        return found

    @asynccontextmanager
    async def borrowed(self, name: str) -> AsyncIterator[Open]:
        """The pipeline of that name, which stays open inside, whatever becomes of its file.

        Raises `NoSuchModel`.
        """
        opened = self[name]
        opened.users += 1
        try:
            yield opened
        finally:
            opened.users -= 1
            self._close_unused(opened)

    def replace(self, pipeline: Pipeline) -> None:
        """Give new requests this version; the one before it closes when its last request ends.

        Raises `PlanRefused`, and then all stays as it was.
        """
        opened = Open(pipeline, self._stores)
        before = self._open[opened.name]
        self._open[opened.name] = opened
        before.retired = True
        self._close_unused(before)

    async def aclose(self) -> None:
        """Close everything. Idempotent."""
        opened = list(self._open.values())
        self._open.clear()
        await asyncio.gather(*self._closing, *(one.session.aclose() for one in opened))

    def _close_unused(self, opened: Open) -> None:
        if opened.retired and not opened.users:
            closing = asyncio.create_task(opened.session.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
