"""When to ask again, and how long to wait before."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ..compiler.errors import BackendError

__all__ = ["Retry"]


@dataclass(frozen=True, slots=True)
class Retry:
    """One retry layer for all backends.

    Only errors that say so are retried (`BackendError.retryable`: connections, rate limits,
    failures of the server, time-outs; never a bad request, a wrong key, a missing model, a prompt
    too long). Waits grow exponentially from `first` to `longest` seconds, each shortened by a
    random part ("full jitter", Brooker, 2015); a server's Retry-After is honoured and never
    shortened.
    """

    times: int = 4
    first: float = 0.5
    longest: float = 30.0

    def wait(self, error: BackendError, attempt: int, rng: Random) -> float | None:
        """Seconds to wait before attempt number `attempt` + 1; None to give up. Attempts count
        from 0."""
        if not error.retryable or attempt >= self.times:
            return None
        if error.retry_after is not None:
            return error.retry_after
        return rng.uniform(0.0, min(self.longest, self.first * 2.0**attempt))
