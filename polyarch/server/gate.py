"""How many requests run at once, and how many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Full", "Gate"]


class Full(Exception):
    """Nobody else may wait."""


class Gate:
    """Lets so many in at once, in the order they came; as many as `queue` wait."""

    def __init__(self, limit: int, queue: int) -> None:
        self._slots = asyncio.Semaphore(limit)
        self._queue = queue
        self.running = 0
        """How many are in."""
        self.waiting = 0
        """How many wait."""

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Be in. Raises `Full`."""
        if self._slots.locked() and self.waiting >= self._queue:
            raise Full
        self.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._slots.release()
