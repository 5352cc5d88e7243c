"""Ask a second time where a reply is slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from ..backends.base import Piece

__all__ = ["hedged"]


async def hedged(
    ask: Callable[[], AsyncGenerator[Piece, None]],
    after: float,
    again: Callable[[], bool],
    take: Callable[[Piece], None],
    lost: Callable[[Sequence[Piece]], None],
) -> None:
    """Ask; if no reply has come `after` so many seconds, ask once more, provided `again` agrees.

    The pieces of whichever ends well first are taken, the other is cancelled and its pieces are
    lost: they were paid for. If neither ends well, or the waiting is given up, what the first one
    received is taken. Hedged requests: Dean and Barroso, The Tail at Scale (2013).
    """
    received: list[list[Piece]] = [[]]
    tasks = [asyncio.create_task(_collect(ask(), received[0]))]
    winner = 0
    try:
        done, _ = await asyncio.wait(tasks, timeout=after)
        if not done and again():
            received.append([])
            tasks.append(asyncio.create_task(_collect(ask(), received[1])))
        winner = await _first_to_end_well(tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for place, pieces in enumerate(received):
            if place != winner:
                lost(pieces)
        for piece in received[winner]:
            take(piece)


async def _collect(pieces: AsyncGenerator[Piece, None], received: list[Piece]) -> None:
    try:
        async for piece in pieces:
            received.append(piece)
    finally:
        await pieces.aclose()


async def _first_to_end_well(tasks: list[asyncio.Task[None]]) -> int:
    """Which task ends well first; the error of the first one if none does."""
    waiting = set(tasks)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for place, task in enumerate(tasks):
            if task in done and task.exception() is None:
                return place
    tasks[0].result()
    raise AssertionError("a task that did not end well has an error")
