"""What one question gave under one pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from ..compiler.values import Json

__all__ = ["Mark"]


@dataclass(frozen=True, slots=True)
class Mark:
    """The score of an answer, and what the answer cost.

    `score` is None where nothing can be said: the metric raised. A pipeline that failed to answer
    has a score of 0, and its `error`. Costs are those of the pipeline on its own, replies that the
    bank had included; `paid` is how many calls were newly asked for.
    """

    score: float | None
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0
    paid: int = 0
    error: str = ""

    def record(self) -> Json:
        """As JSON; `of` reads it."""
        return [
            self.score,
            self.calls,
            self.tokens,
            self.usd,
            self.seconds,
            self.paid,
            self.error,
        ]

    @classmethod
    def of(cls, told: list[object]) -> Mark:
        """What `record` wrote."""
        return cls(*told)  # type: ignore[arg-type]
