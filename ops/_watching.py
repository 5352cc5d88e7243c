"""A reply that is looked at while it is written."""

from __future__ import annotations

import re
from asyncio import Future, Task, create_task, gather, get_running_loop
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from ..compiler.op import Writing

__all__ = ["Look", "Watching"]

_BETWEEN = re.compile(r"\s")
"""What stands between words."""

Look: TypeAlias = "Callable[[int, str], Coroutine[Any, Any, bool]]"
"""The number of a look, from 0, and what was written until then: whether that is enough."""


class Watching:
    """Looks at a reply behind whole words, `every` characters apart and `most` of them.

    Nothing waits for a look: the reply is read on, and the next look begins beside the last.
    """

    def __init__(self, look: Look, *, every: int, most: int) -> None:
        self.looks = 0
        self._look = look
        self._every = every
        self._most = most
        self._over: Future[str | None] = get_running_loop().create_future()
        self._tasks: list[Task[None]] = []

    async def read(self, writing: Writing) -> str | None:
        """What was enough; None where the reply came to its own end before. Raises what reading or
        a look raises. Looks that are not over then are given up."""
        self._start(self._read(writing))
        try:
            return await self._over
        finally:
            for task in self._tasks:
                task.cancel()
            await gather(*self._tasks, return_exceptions=True)

    async def _read(self, writing: Writing) -> None:
        text, seen = "", 0
        async for part in writing:
            text += part
            while self.looks < self._most:
                border = _BETWEEN.search(text, seen + self._every)
                if border is None:
                    break
                seen = border.start()
                self._start(self._see(self.looks, text[:seen]))
                self.looks += 1
        self._end(None)

    async def _see(self, number: int, text: str) -> None:
        if await self._look(number, text):
            self._end(text)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._check)

    def _check(self, task: Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None or self._over.done():
            return
        self._over.set_exception(error)

    def _end(self, enough: str | None) -> None:
        if not self._over.done():
            self._over.set_result(enough)
