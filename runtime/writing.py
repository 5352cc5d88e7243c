"""A reply that is read while it is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from ..compiler.op import Reply

__all__ = ["Send", "Written", "written"]

Send: TypeAlias = "Callable[[Callable[[str], None]], Coroutine[Any, Any, Reply]]"
"""Sees a request through, and tells each part of its text as it comes."""


class Written:
    """The parts of one reply. Implements `compiler.op.Writing`."""

    def __init__(self, send: Send) -> None:
        self._parts: asyncio.Queue[str | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._follow(send))

    async def __aiter__(self) -> AsyncIterator[str]:
        """The parts, as they come. Raises what asking raises."""
        while (part := await self._parts.get()) is not None:
            yield part
        await self._task

    @property
    def reply(self) -> Reply:
        """The whole reply, once the last part was read."""
        return self._task.result()

    async def end(self) -> None:
        """Give up on what was not read."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self, send: Send) -> Reply:
        try:
            return await send(self._parts.put_nowait)
        finally:
            self._parts.put_nowait(None)


@asynccontextmanager
async def written(send: Send) -> AsyncGenerator[Written, None]:
    """A request for as long as somebody reads its reply."""
    reply = Written(send)
    try:
        yield reply
    finally:
        await reply.end()
