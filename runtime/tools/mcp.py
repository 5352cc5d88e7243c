"""Tools of MCP servers, by the official SDK: one connection a server, kept open for a session."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from ...compiler.errors import MissingPackage, ToolFailed
from ...compiler.toolspec import McpSpec, ToolSpec
from ...compiler.values import Json, Tool
from .base import described, secret

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import CallToolResult

__all__ = ["McpServer", "McpTool"]

_CONNECT = 30.0
"""Seconds that a connection, or sending something, may take."""
_SHOWN = 400
"""Characters of what a server wrote before it failed."""


class McpServer:
    """A connection to one server, opened when it is first needed and again once it broke.

    The SDK wants a connection to be opened and closed by one task: it has one of its own.
    """

    def __init__(
        self, name: str, spec: McpSpec, environment: Mapping[str, str] | None = None
    ) -> None:
        """`name` is of a tool, for messages. Raises `ToolFailed` for a key that is not there,
        `MissingPackage`."""
        try:
            import mcp
        except ModuleNotFoundError as error:
            raise MissingPackage("MCP servers need mcp: pip install 'polyarch[mcp]'") from error
        del mcp
        held = os.environ if environment is None else environment
        self._name = name
        self._spec = spec
        self._given = {
            key: secret(name, value, held) for key, value in (spec.env or spec.headers).items()
        }
        self._ready: asyncio.Future[Client] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def tools(self) -> Mapping[str, Any]:
        """What the server offers, by name. Raises `ToolFailed`."""
        found: dict[str, Any] = {}
        cursor = None
        client = await self._client()
        try:
            while True:
                page = await client.list_tools(cursor=cursor)
                found |= {tool.name: tool for tool in page.tools}
                cursor = page.next_cursor
                if cursor is None:
                    return found
        except Exception as error:
            raise await self._failed(client, error) from error

    async def call(self, tool: str, arguments: Mapping[str, Json]) -> CallToolResult:
        """Call one of its tools. Raises `ToolFailed`."""
        client = await self._client()
        try:
            return await client.call_tool(tool, dict(arguments))
        except Exception as error:
            raise await self._failed(client, error) from error

    async def aclose(self) -> None:
        """Close the connection; a server that was started here ends. Idempotent."""
        task, self._task, self._ready = self._task, None, None
        if task is not None:
            self._closing.set()
            await asyncio.gather(task, return_exceptions=True)

    async def _client(self) -> Client:
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._closing = asyncio.Event()
            self._task = asyncio.create_task(self._live(self._ready, self._closing))
        return await asyncio.shield(self._ready)

    async def _live(self, ready: asyncio.Future[Client], closing: asyncio.Event) -> None:
        try:
            async with self._connected() as client:
                ready.set_result(client)
                await closing.wait()
        except Exception as error:  # noqa: BLE001 -- told to whoever waits for the connection
            if not ready.done():
                if self._ready is ready:
                    self._ready = None
                ready.set_exception(_told(f"the MCP server of {self._name!r} did not start", error))
                ready.exception()  # nobody may be waiting any more
        finally:
            ready.cancel()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Client]:
        import httpx2
        from mcp import Client, StdioServerParameters
        from mcp.client.stdio import stdio_client
        from mcp.client.streamable_http import streamable_http_client

        if self._spec.url is not None:
            limits = httpx2.Timeout(_CONNECT, read=None)  # a call has a time of its own
            async with httpx2.AsyncClient(headers=self._given, timeout=limits) as http:
                transport = streamable_http_client(self._spec.url, http_client=http)
                async with Client(transport) as client:
                    yield client
            return
        command, *rest = self._spec.command
        server = StdioServerParameters(command=command, args=rest, env=self._given)
        with TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
            try:
                async with Client(stdio_client(server, errlog=log)) as client:
                    yield client
            except Exception as error:
                log.seek(0)
                if written := log.read().strip()[-_SHOWN:]:
                    error.add_note(written)
                raise

    async def _failed(self, client: Client, error: Exception) -> ToolFailed:
        """What to raise of an error. After a lost connection the next call opens another."""
        from mcp import MCPError
        from mcp.types import CONNECTION_CLOSED, INVALID_REQUEST

        # A server over HTTP that was started anew says so of a session that it does not know.
        lost = {CONNECTION_CLOSED, INVALID_REQUEST} if self._spec.url else {CONNECTION_CLOSED}
        if isinstance(error, MCPError) and error.error.code not in lost:
            return ToolFailed(str(error))
        if self._serves(client):
            await self.aclose()
        return _told("the MCP server was lost", error)

    def _serves(self, client: Client) -> bool:
        """Whether this is the connection that the next call would use."""
        ready = self._ready
        if ready is None or not ready.done() or ready.cancelled() or ready.exception():
            return False
        return ready.result() is client


class McpTool:
    """One tool of a server."""

    def __init__(self, server: McpServer, named: str, tool: Tool) -> None:
        self._server = server
        self._named = named
        self.tool = tool

    @classmethod
    async def open(cls, server: McpServer, name: str, spec: ToolSpec) -> McpTool:
        """Ask the server what the tool takes. Raises `ToolFailed`."""
        named = spec.tool or name
        offered = await server.tools()
        if named not in offered:
            known = ", ".join(sorted(offered)) or "none"
            raise ToolFailed(f"tool {name!r}: the MCP server has no {named!r}; it has {known}")
        one = offered[named]
        about = one.description or one.title or ""
        return cls(server, named, described(name, spec, about, one.input_schema))

    async def call(self, arguments: Mapping[str, Json]) -> Json:
        """Its structured result, else its text. Raises `ToolFailed` for an error it tells of."""
        result = await self._server.call(self._named, arguments)
        texts = [part.text for part in result.content if part.type == "text"]
        if result.is_error:
            raise ToolFailed("\n".join(texts) or "it failed, and did not say why", passing=True)
        structured: Json = result.structured_content
        if structured is not None:
            # What is no object is wrapped in one, for MCP knows no other structured results.
            wrapped = isinstance(structured, Mapping) and set(structured) == {"result"}
            return structured["result"] if wrapped else structured  # type: ignore[call-overload,index]
        if result.content and not texts:
            raise ToolFailed(f"it gave {result.content[0].type}, and no text")
        return "\n".join(texts)

    async def aclose(self) -> None:
        """The server is closed by whoever opened it."""


def _told(what: str, error: BaseException) -> ToolFailed:
    """An error of the SDK in one line: of a group, the first."""
    notes = list(getattr(error, "__notes__", ()))
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
        notes += getattr(error, "__notes__", ())
    why = str(error) or type(error).__name__
    return ToolFailed(": ".join([what, why, *notes[:1]]), passing=True)
