"""Candidates that are worked on while others are still being read."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from ..compiler.op import Context, Stream
from ..compiler.values import Candidate

__all__ = ["Coming"]


class Coming:
    """Candidates as they are read, so that work on some starts before the others are there.

    Waiting for a place that will stay empty gives None. `parts` says of each that was read which
    of the steps it came from.
    """

    def __init__(self, given: Stream) -> None:
        self._given = given
        self.most = given.left
        self.parts: list[int] = []
        loop = asyncio.get_running_loop()
        self._places: list[asyncio.Future[Candidate | None]] = [
            loop.create_future() for _ in range(self.most)
        ]

    async def read(self) -> list[Candidate]:
        """Read everything; what is waited for is told on the way."""
        read: list[Candidate] = []
        async for candidate in self._given:
            self.parts.append(self._given.part)
            self._places[len(read)].set_result(candidate)
            read.append(candidate)
        for place in self._places[len(read) :]:
            place.set_result(None)
        return read

    async def at(self, place: int) -> Candidate | None:
        """The candidate that is read in that place, from 0."""
        return await self._places[place]

    async def alongside(
        self, ctx: Context, jobs: Sequence[Coroutine[Any, Any, None]]
    ) -> list[Candidate]:
        """Do jobs that wait for candidates while these are read; all that was read."""
        read: list[Candidate] = []

        async def reading() -> None:
            read.extend(await self.read())

        await ctx.together([reading(), *jobs])
        return read
