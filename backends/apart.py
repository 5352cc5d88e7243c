"""Several draws, each asked for on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from .base import Draw, Piece, Request

__all__ = ["apart"]


async def apart(
    ask: Callable[[Request], AsyncGenerator[Piece, None]], request: Request
) -> AsyncGenerator[Piece, None]:
    """Ask for each draw of a request by itself, all at once.

    The first draw ends last, since it is charged with all their prompts.
    """
    told: asyncio.Queue[Piece | asyncio.Task[None]] = asyncio.Queue()
    first = request.draws[0].index
    tasks = [asyncio.create_task(_collect(ask, request, draw, told)) for draw in request.draws]
    for task in tasks:
        task.add_done_callback(told.put_nowait)
    last: Piece | None = None
    left = len(tasks)
    try:
        while left:
            got = await told.get()
            if isinstance(got, asyncio.Task):
                got.result()
                left -= 1
                continue
            if got.prompt_tokens and got.draw != first:
                yield Piece(first, "", got.prompt_tokens, got.cached_tokens)
                got = replace(got, prompt_tokens=0, cached_tokens=0)
            if got.draw == first and got.finish:
                last = got
            else:
                yield got
        if last is not None:
            yield last
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _collect(
    ask: Callable[[Request], AsyncGenerator[Piece, None]],
    request: Request,
    draw: Draw,
    told: asyncio.Queue[Piece | asyncio.Task[None]],
) -> None:
    async with aclosing(ask(replace(request, draws=(draw,)))) as pieces:
        async for piece in pieces:
            told.put_nowait(piece)
