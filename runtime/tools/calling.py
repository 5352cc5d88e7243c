"""One call of a tool: checked, reserved, limited, timed, tried again, charged, traced."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Protocol
from zlib import crc32

from ...backends.base import Draw
from ...compiler.errors import ToolFailed
from ...compiler.toolcalls import Called, wrong_arguments
from ...compiler.values import Json, Tool, Usage
from ..cache import Give
from ..ledger import Reservation
from ..state import StepState
from ..store import Store
from ..stored import Stored
from .toolbox import Ready, Toolbox

__all__ = ["Caller", "Site", "arguments_digest", "called", "offered"]

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 10.0
"""Seconds between two attempts, which double; a random part of them is waited."""


class Site:
    """Where a call is made: a step, a place of it or none, and the step's own number for it."""

    __slots__ = ("index", "place", "state")

    def __init__(self, state: StepState, place: int | None, index: int) -> None:
        self.state = state
        self.place = place
        self.index = index

    @property
    def at(self) -> int:
        """The place that the trace tells."""
        return -1 if self.place is None else self.place


class Caller(Protocol):
    """What stands for the tools themselves: a trace that holds what they gave."""

    async def described(self, state: StepState, names: tuple[str, ...]) -> tuple[Tool, ...]:
        """What a model was told of tools. Raises `NotRecorded`."""

    async def call(self, site: Site, tool: str, arguments: Mapping[str, Json]) -> Called:
        """What became of a call. Raises `NotRecorded`."""


async def offered(state: StepState, at: int, names: tuple[str, ...]) -> tuple[Tool, ...]:
    """What a model is told of tools; the trace holds it, too."""
    tools = state.run.tools
    if isinstance(tools, Toolbox):
        told = await tools.described(names)
    else:
        told = await tools.described(state, names)
    shown: list[Json] = [
        {"name": tool.name, "about": tool.about, "parameters": tool.parameters} for tool in told
    ]
    state.emit("offered", at, {"tools": shown})
    return told


async def called(site: Site, tool: str, arguments: Mapping[str, Json]) -> Called:
    """Call a tool; what became of it. Raises `BudgetExhausted`."""
    state = site.state
    tools, start = state.run.tools, state.run.now()
    if isinstance(tools, Toolbox):
        made, kept = await _Calling(site, tools, tool, arguments).made()
    else:
        made, kept = await tools.call(site, tool, arguments), False
        _charge(site, made.usage)
    told: dict[str, Json] = {
        "ask": site.index,
        "tool": tool,
        "arguments": arguments,
        "digest": arguments_digest(arguments),
        "usd": made.usage.usd,
        "seconds": state.run.now() - start,
    }
    told |= {"error": made.error} if made.error else {"result": made.value}
    if kept:
        told["kept"] = True
    state.emit("called", site.at, told)
    return made


def arguments_digest(arguments: Mapping[str, Json]) -> int:
    """A checksum of arguments, by which a trace tells whether a call is still the same."""
    return crc32(_plain(arguments).encode("utf-8", "surrogatepass"))


class _Calling:
    """One call on its way."""

    def __init__(
        self, site: Site, tools: Toolbox, tool: str, arguments: Mapping[str, Json]
    ) -> None:
        self._site = site
        self._tools = tools
        self._tool = tool
        self._arguments = arguments
        self._tries = 0

    async def made(self) -> tuple[Called, bool]:
        """What became of it, and whether that had been kept from before."""
        try:
            ready = await self._tools.ready(self._tool)
        except ToolFailed as error:
            return Called(error=str(error)), False
        if wrong := wrong_arguments(ready.open.tool, self._arguments):
            return Called(error=wrong), False
        return await self._through(ready, self._site.state.run.stores)

    async def _through(self, ready: Ready, stores: tuple[Store, ...]) -> tuple[Called, bool]:
        """From the first store that has it, else by calling; what a journal holds was paid for by
        this batch, and so is charged as it was."""
        if not stores:
            return await self._attempts(ready), False
        store, *others = stores
        if not (store.paid or ready.spec.cache):
            return await self._through(ready, tuple(others))
        key, number = self._key(ready, store.paid)
        found: list[tuple[Called, bool]] = []

        def give(draw: Draw, stored: Stored) -> None:
            made = _restored(stored, ready.spec.usd if store.paid else 0.0)
            _charge(self._site, made.usage)
            found.append((made, True))

        async def ask(draws: tuple[Draw, ...], arrived: Give) -> None:
            made = await self._through(ready, tuple(others))
            found.append(made)
            if store.paid or not made[0].error:
                arrived(draws[0], _stored(made[0], self._tries))

        await store.cache.fetch(key, (Draw(self._site.index, number, 0),), give, ask)
        return found[-1]

    def _key(self, ready: Ready, paid: bool) -> tuple[bytes, int]:
        """What the result is kept under: in a cache by what is called and with what; in a journal
        by who calls, too."""
        spec, site = ready.spec, self._site
        parts = [
            "tool",
            self._tool,
            str(spec),
            spec.model_dump_json(include={"python", "http", "mcp", "tool", "version"}),
            _plain(self._arguments),
        ]
        if not paid:
            return sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest(), 0
        parts += [site.state.name, site.state.run.question.id, str(site.place)]
        return sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest(), site.index

    async def _attempts(self, ready: Ready) -> Called:
        """Call it, again if that can help; what all attempts cost."""
        spec, run = ready.spec, self._site.state.run
        spent = Usage()
        while True:
            self._tries += 1
            made, passing = await self._attempt(ready)
            spent += made.usage
            if not made.error or not passing or self._tries > spec.retries:
                return replace(made, usage=spent)
            wait = run.jitter.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (self._tries - 1)))
            self._site.state.emit(
                "retried",
                self._site.at,
                {
                    "ask": self._site.index,
                    "tool": self._tool,
                    "why": made.error,
                    "seconds": wait,
                },
            )
            await asyncio.sleep(wait)

    async def _attempt(self, ready: Ready) -> tuple[Called, bool]:
        """One attempt, and whether another may go better."""
        state, spec = self._site.state, ready.spec
        ledger, run = state.ledger, state.run
        if (due := ledger.due()) is not None and due <= run.now():
            raise ledger.late()
        reserved = Reservation(0, 0, spec.usd) if ledger.limited else None
        if reserved is not None:
            await ledger.reserve(reserved)
        usage = Usage()
        try:
            if not ready.limit.enter():
                await ready.limit.wait(run.paths.remaining(state.name))
            usage = Usage(usd=spec.usd)
            try:
                return Called(await self._bounded(ready), usage=usage), False
            except ToolFailed as error:
                return Called(error=str(error), usage=usage), error.passing
            finally:
                ready.limit.leave()
        finally:
            ledger.settle(reserved, usage)
            state.charge(max(0, self._site.at), usage)

    async def _bounded(self, ready: Ready) -> Json:
        """The call itself, within its own time and the budget's.

        Raises `ToolFailed`, `BudgetExhausted`.
        """
        async with self._site.state.ledger.in_time():
            try:
                async with asyncio.timeout(ready.spec.timeout):
                    return await ready.open.call(self._arguments)
            except TimeoutError as late:
                told = f"no result within {ready.spec.timeout:g} s"
                raise ToolFailed(told, passing=True) from late


def _charge(site: Site, usage: Usage) -> None:
    site.state.ledger.settle(None, usage)
    site.state.charge(max(0, site.at), usage)


def _stored(made: Called, tries: int) -> Stored:
    told: dict[str, Json] = {"error": made.error} if made.error else {"value": made.value}
    return Stored(_plain({**told, "tries": tries}))


def _restored(stored: Stored, usd: float) -> Called:
    told = json.loads(stored.text)
    return Called(told.get("value"), told.get("error", ""), Usage(usd=usd * told["tries"]))


_plain = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=dict
).encode
