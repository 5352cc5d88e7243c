"""Stop asking an endpoint that is dead, and find out when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from ..compiler.errors import BackendError, Unreachable

__all__ = ["Circuit"]


class Circuit:
    """Opens after so many failures in a row; after a pause lets one request try.

    In a row are failures of requests sent since the last success: what was sent before it and fails
    only now, as when many time out together, says nothing of the endpoint since. While open, only
    what was sent since then counts, which is the trial.

    The circuit breaker of Nygard, Release It! (2007).
    """

    __slots__ = (
        "_after",
        "_answered",
        "_decided",
        "_failed",
        "_last",
        "_name",
        "_now",
        "_opened",
        "_pause",
        "_trying",
        "trials",
    )

    def __init__(
        self, name: str, now: Callable[[], float], *, after: int = 8, pause: float = 15.0
    ) -> None:
        """`now` is a clock in seconds; `pause` how long it stays open, in seconds."""
        self._name = name
        self._now = now
        self._after = after
        self._pause = pause
        self._answered = -inf
        self._decided = asyncio.Event()
        self._failed = 0
        self._last: BackendError | None = None
        self._opened: float | None = None
        self._trying = False
        self.trials = 0
        """How many failed since it opened."""

    @property
    def open(self) -> bool:
        """Whether requests are refused at present."""
        return self._opened is not None

    @property
    def answered(self) -> bool:
        """Whether the endpoint ever answered, so that it may come back."""
        return self._answered > -inf

    def check(self) -> None:
        """Raise `Unreachable` while the circuit is open, but for one trial after the pause."""
        if self._opened is None:
            return
        if self._trying or self._now() < self._opened + self._pause:
            raise Unreachable(
                f"{self._name} failed {self._failed} times in a row and is left alone for "
                f"{self._pause:g} seconds"
            ) from self._last
        self._trying = True
        self._decided.clear()

    @property
    def left(self) -> float:
        """Seconds until the next trial may begin; 0 if it may, or is under way."""
        return 0.0 if self._opened is None else max(0.0, self._opened + self._pause - self._now())

    async def told(self) -> None:
        """Wait for what the trial tells that is under way, if one is."""
        if self._trying:
            await self._decided.wait()

    def succeeded(self) -> None:
        """A request was answered: the circuit closes."""
        self._answered = self._now()
        self._failed = self.trials = 0
        self._opened = None
        self._end_trial()

    def failed(self, error: BackendError, sent: float) -> None:
        """A request that was sent then found the endpoint dead or failing."""
        if sent < self._answered or (self._opened is not None and sent <= self._opened):
            return
        self._failed += 1
        self._last = error
        if self._opened is not None:
            self.trials += 1
        self._end_trial()
        if self._failed >= self._after:
            self._opened = self._now()

    def undecided(self) -> None:
        """A trial was given up before it could tell."""
        self._end_trial()

    def _end_trial(self) -> None:
        if self._trying:
            self._trying = False
            self._decided.set()
