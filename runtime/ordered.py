"""Many pieces of work at once, their results in the order they were given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

__all__ = ["in_order"]

Item = TypeVar("Item")
Made = TypeVar("Made")

_AHEAD = 8
"""Results kept waiting for a slower one before them, as a multiple of the concurrency."""


async def in_order(
    work: Callable[[Item], Coroutine[Any, Any, Made]],
    items: AsyncGenerator[Item, None],
    concurrency: int,
) -> AsyncGenerator[tuple[Item, Made], None]:
    """Each item with what became of it, in order, at most `concurrency` under way.

    Items are taken only as there is room, so memory does not grow with their number; and a result
    is given out while the next item is still awaited, for whoever sends items may wait for it. The
    first error, in order, ends it; what is under way then is cancelled.
    """
    begun: asyncio.Queue[tuple[Item, asyncio.Task[Made]] | None] = asyncio.Queue()
    room = asyncio.Semaphore(_AHEAD * concurrency)
    under_way: set[asyncio.Task[Made]] = set()

    async def begin() -> None:
        free = asyncio.Semaphore(concurrency)
        async with aclosing(items):
            async for item in items:
                await room.acquire()
                await free.acquire()
                task = asyncio.create_task(work(item))
                task.add_done_callback(lambda _: free.release())
                under_way.add(task)
                begun.put_nowait((item, task))

    beginning = asyncio.create_task(begin())
    beginning.add_done_callback(lambda _: begun.put_nowait(None))
    try:
        while (one := await begun.get()) is not None:
            item, task = one
            yield item, await task
            under_way.discard(task)
            room.release()
        await beginning
    finally:
        for left in (beginning, *under_way):
            left.cancel()
        await asyncio.gather(beginning, *under_way, return_exceptions=True)
