"""How many requests to a model may be under way at once, over all questions."""

from __future__ import annotations

from asyncio import CancelledError, Future, get_running_loop
from collections import deque

__all__ = ["Limit"]


class Limit:
    """A number of slots; who finds none waits in line."""

    __slots__ = ("_free", "_line")

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._line: deque[Future[None]] = deque()

    def enter(self) -> bool:
        """Take a free slot, if there is one and nobody waits for it."""
        if self._free > 0 and not self._line:
            self._free -= 1
            return True
        return False

    async def wait(self) -> None:
        """Take a slot when one is free and those before are served."""
        turn: Future[None] = get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give a slot back, or on to who waits longest."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
