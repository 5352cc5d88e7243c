"""Work that several wait for and that is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

__all__ = ["Once"]

T = TypeVar("T")


class Once:
    """Work by name, each done once however many ask for it. It is cancelled when nobody waits for
    it any more, and begun anew when somebody does again; an error of it is everybody's."""

    __slots__ = ("_tasks", "_waiting")

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._waiting: dict[str, int] = {}

    async def get(self, name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the work of this name gives; it is begun if it was not."""
        task = self._tasks.get(name)
        if task is None:
            task = self._tasks[name] = asyncio.create_task(work())
        self._waiting[name] = self._waiting.get(name, 0) + 1
        try:
            return cast(T, await asyncio.shield(task))
        finally:
            self._waiting[name] -= 1
            if not self._waiting[name] and not task.done():
                del self._tasks[name]
                task.cancel()
                await asyncio.wait([task])
