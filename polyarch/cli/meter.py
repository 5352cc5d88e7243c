"""How far an evaluation is: what is done and was spent, and what is left of both."""

from __future__ import annotations

import time

from ..evaluation.record import Record
from ..runtime.progress import Progress

__all__ = ["Meter"]


class Meter(Progress):
    """Counts records. Prints as one line with the estimated rest, and the estimated sum of dollars
    where any are spent."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.failed = 0
        self.score = 0.0
        self._began = time.monotonic()

    def hear(self, record: Record) -> None:
        """Take a record in."""
        self.done += 1
        self.failed += bool(record.error)
        self.score += record.score or 0.0
        self.calls += record.usage.calls
        self.tokens += record.usage.tokens
        self.usd += record.usage.usd + record.judging.usd

    def __str__(self) -> str:
        total = self.total or self.done
        parts = [f"{self.done:,} of {total:,} runs"]
        if self.done:
            parts.append(f"mean score {self.score / self.done:.3f}")
        parts += [f"{self.calls:,} calls", f"{self.tokens:,} tokens"]
        if self.usd:
            parts.append(f"${self.usd:.4g} of about ${self.usd / self.done * total:.4g}")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.done:
            left = (time.monotonic() - self._began) / self.done * (total - self.done)
            parts.append(f"about {_duration(left)} left")
        return " · ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
