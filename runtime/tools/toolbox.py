"""The tools of a session: each opened once, with its limit; and who may call them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ...compiler.errors import InputError, PlanRefused, ToolFailed
from ...compiler.names import nearest
from ...compiler.plan import Plan
from ...compiler.toolspec import McpSpec, ToolSpec
from ...compiler.values import Tool
from ..limits import Limit
from .base import Open
from .calculator import calculator
from .http import HttpTool
from .mcp import McpServer, McpTool
from .python import PythonTool, imported

__all__ = ["NO_GRANTS", "Grants", "Ready", "Toolbox", "granted"]


_OPENING = 60.0
"""Seconds that a server may take to start and say what it has."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What whoever runs a pipeline lets it do: `given` are callables by the names of tools, which
    stand for what the file says; `allowed` names tools that may be called as the file says."""

    given: Mapping[str, Callable[..., Any]]
    allowed: frozenset[str]

    def allows(self, name: str, spec: ToolSpec) -> bool:
        """Whether a tool may be called."""
        return spec.free or name in self.given or name in self.allowed or "all" in self.allowed


def granted(
    given: Mapping[str, Callable[..., Any]] | None = None, allowed: Iterable[str] = ()
) -> Grants:
    """Grants from what people write; a single name is no list of letters."""
    names = (allowed,) if isinstance(allowed, str) else allowed
    return Grants(dict(given or {}), frozenset(names))


NO_GRANTS = Grants(MappingProxyType({}), frozenset())
"""Nothing but what needs no grant."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A tool that can be called, and how."""

    name: str
    spec: ToolSpec
    open: Open
    limit: Limit


class Toolbox:
    """The tools of a plan, opened on first use, closed with the session."""

    def __init__(self, plan: Plan, grants: Grants, keys: Collection[str] = ()) -> None:
        """`keys` are the environment variables that tools may be given. Raises `PlanRefused` for a
        tool or key that a step may use and nobody granted, `InputError` for a grant of no tool."""
        graph = plan.graph
        self._specs = graph.tools
        self._grants = grants
        self._keys = frozenset(keys)
        self._opened: dict[str, asyncio.Future[Ready]] = {}
        self._servers: dict[str, McpServer] = {}
        self._limits: dict[str, Limit] = {}
        for name in (*grants.given, *sorted(grants.allowed - {"all"})):
            if name not in graph.tools:
                told = nearest(name, graph.tools) or "it declares none"
                raise InputError(f"{graph.name} has no tool {name!r}; {told}")
        for name in graph.called:
            self._refuse(name, graph.tools[name])

    def _refuse(self, name: str, spec: ToolSpec) -> None:
        if spec.given and name not in self._grants.given:
            raise PlanRefused(
                f"tool {name!r} is handed over in Python: polyarch.load(…, tools={{{name!r}: …}})"
            )
        if not self._grants.allows(name, spec):
            raise PlanRefused(
                f"the pipeline would call tool {name!r} ({spec}), which was not granted; grant it "
                f"with --allow-tool {name} (allow_tools=[{name!r}])"
            )
        for key in () if name in self._grants.given else spec.keys:
            if key not in self._keys:
                raise PlanRefused(
                    f"tool {name!r} is given the key in {key}; if that is meant, allow it outside "
                    f"the pipeline: --allow-key {key} (keys=[{key!r}])"
                )

    async def described(self, names: Sequence[str]) -> tuple[Tool, ...]:
        """What a model is told of tools. Raises `ToolFailed`."""
        return tuple([(await self.ready(name)).open.tool for name in names])

    async def ready(self, name: str) -> Ready:
        """A tool, opened by whoever wants it first. Raises `ToolFailed`, `MissingPackage`."""
        while (opened := self._opened.get(name)) is not None:
            try:
                return await asyncio.shield(opened)
            except asyncio.CancelledError:
                if not opened.cancelled():
                    raise
        opening = self._opened[name] = asyncio.get_running_loop().create_future()
        try:
            made = await self._open(name)
        except BaseException as error:
            del self._opened[name]
            if isinstance(error, Exception):
                opening.set_exception(error)
                opening.exception()  # nobody else may be waiting
            else:
                opening.cancel()
            raise
        opening.set_result(made)
        return made

    async def aclose(self) -> None:
        """Close every tool and server that was opened here. Idempotent."""
        opened, self._opened = self._opened, {}
        for ready in opened.values():
            if ready.done() and not ready.cancelled() and ready.exception() is None:
                await ready.result().open.aclose()
        servers, self._servers = self._servers, {}
        for server in servers.values():
            await server.aclose()

    async def _open(self, name: str) -> Ready:
        spec = self._specs[name]
        try:
            async with asyncio.timeout(_OPENING):
                tool = await self._tool(name, spec)
        except TimeoutError as late:
            told = f"tool {name!r} could not be opened within {_OPENING:g} s"
            raise ToolFailed(told, passing=True) from late
        limit = self._limits.setdefault(name, Limit(spec.concurrency))
        return Ready(name, spec, tool, limit)

    async def _tool(self, name: str, spec: ToolSpec) -> Open:
        if (function := self._grants.given.get(name)) is not None:
            return PythonTool(name, spec, function)
        if spec.builtin is not None:
            return PythonTool(name, spec, calculator)
        if spec.python is not None:
            return PythonTool(name, spec, imported(name, spec.python))
        if spec.http is not None:
            return HttpTool(name, spec)
        assert spec.mcp is not None
        return await McpTool.open(self._server(name, spec.mcp), name, spec)

    def _server(self, name: str, spec: McpSpec) -> McpServer:
        key = spec.model_dump_json()
        if key not in self._servers:
            self._servers[key] = McpServer(name, spec)
        return self._servers[key]
