"""How much may be asked of a model at once and a minute, over all questions."""

from __future__ import annotations

from asyncio import CancelledError, Future, get_running_loop
from heapq import heappop, heappush
from itertools import count

from aiolimiter import AsyncLimiter

__all__ = ["Adaptive", "Limit", "Rates"]


class Limit:
    """A number of slots. Who finds none waits; the longest remaining path is served first, of equal
    ones who came first."""

    __slots__ = ("_count", "_line", "_taken", "slots")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._taken = 0
        self._line: list[tuple[float, int, Future[None]]] = []
        self._count = count()

    @property
    def taken(self) -> int:
        """Slots in use."""
        return self._taken

    def enter(self) -> bool:
        """Take a free slot, if there is one and nobody waits for it."""
        if self._taken < self.slots and not self._line:
            self._taken += 1
            return True
        return False

    async def wait(self, remaining: float = 0.0) -> None:
        """Take a slot when one is free; `remaining` is the length of the path that waits for it,
        in whatever unit the callers share."""
        turn: Future[None] = get_running_loop().create_future()
        heappush(self._line, (-remaining, next(self._count), turn))
        try:
            await turn
        except CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give a slot back."""
        self._taken -= 1
        self._serve()

    def replied(self, seconds: float) -> None:
        """A request was answered after so many seconds."""

    def overloaded(self) -> None:
        """The backend said that it is asked too much."""

    def queued(self, waiting: int) -> None:
        """So many requests wait in the backend's own queue."""

    def _serve(self) -> None:
        while self._line and self._taken < self.slots:
            _, _, turn = heappop(self._line)
            if not turn.done():
                self._taken += 1
                turn.set_result(None)


class Adaptive(Limit):
    """Slots that follow what the endpoint bears: one more for every round of replies that came as
    quickly as ever, half as many on a refusal, fewer while replies slow down.

    Additive increase and multiplicative decrease (Chiu and Jain, 1989); growing latency is judged
    as in TCP Vegas (Brakmo and Peterson, 1995), by the quickest reply seen.
    """

    __slots__ = ("_best", "_exact", "_most", "_pause")

    def __init__(self, most: int, start: int = 8) -> None:
        """`most` slots at most, beginning with `start`."""
        super().__init__(min(start, most))
        self._most = most
        self._exact = float(self.slots)
        self._best = float("inf")
        self._pause = 0

    def replied(self, seconds: float) -> None:
        """Rise by a slot a round, or give one up a round while replies take over twice as long as
        the quickest."""
        self._best = min(self._best, seconds)
        self._pause = max(0, self._pause - 1)
        if self._pause:
            return
        step = -1 if seconds > 2 * self._best else 1
        self._set(self._exact + step / self.slots)

    def overloaded(self) -> None:
        """Halve, once for all the refusals of one round."""
        if self._pause == 0:
            self._set(self._exact / 2)
            self._pause = self.slots

    def queued(self, waiting: int) -> None:
        """Give up as many slots as requests wait, at most half: sent later they would be answered
        as soon."""
        if waiting > 0 and self._pause == 0:
            self._set(self._exact - min(waiting, self._exact / 2))
            self._pause = self.slots

    def _set(self, exact: float) -> None:
        self._exact = min(max(exact, 1.0), float(self._most))
        self.slots = int(self._exact)
        self._serve()


class Rates:
    """Requests and tokens a minute. Each that is None does not bind."""

    __slots__ = ("_requests", "_tokens")

    def __init__(self, requests: int | None, tokens: int | None) -> None:
        self._requests = AsyncLimiter(requests, 60.0) if requests else None
        self._tokens = AsyncLimiter(tokens, 60.0) if tokens else None

    async def enter(self, tokens: int) -> None:
        """Wait until one more request of so many tokens is within the rates. A request larger than
        a minute's tokens waits for a whole minute's worth."""
        if self._requests is not None:
            await self._requests.acquire()
        if self._tokens is not None:
            await self._tokens.acquire(min(tokens, self._tokens.max_rate))
