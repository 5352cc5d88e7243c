"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it.

Schedules, windows, time-outs and cancellations run exactly as they would, in no time at all, and
the same way every time. For tests and for simulating runs; nothing real can be waited for in it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Stuck", "VirtualLoop", "run"]

T = TypeVar("T")


class Stuck(RuntimeError):
    """Nothing is ready, no timer is set, and somebody still waits: it would be for ever."""


class _Jump(selectors.DefaultSelector):
    """Instead of waiting for a file, moves the clock to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("every task waits and no timer is set")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, which begins at 0. Raises `Stuck` instead of hanging.

    Files, sockets, threads and processes are never ready in it.
    """

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Seconds of virtual time since the loop was made."""
        return self._jump.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time, in a loop of its own.

    Raises `Stuck` when the coroutine waits for what can never happen.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
