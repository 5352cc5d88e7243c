"""What is to be as large as possible: a score, perhaps less what it costs, or less cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .mark import Mark

__all__ = ["UNITS", "Aim", "Unit"]

Unit: TypeAlias = Literal["calls", "tokens", "usd", "seconds"]
UNITS: tuple[Unit, ...] = ("calls", "tokens", "usd", "seconds")


@dataclass(frozen=True, slots=True)
class Aim:
    """One objective. `minus` says by unit how much of the score one is worth; `least` names a unit
    that itself is to be small, and then there is no score in it."""

    minus: tuple[tuple[Unit, float], ...] = ()
    least: Unit | None = None

    def of(self, mark: Mark) -> float | None:
        """The value of one question, larger for better; None where the score is missing."""
        if self.least is not None:
            return -float(getattr(mark, self.least))
        if mark.score is None:
            return None
        return mark.score - sum(worth * float(getattr(mark, unit)) for unit, worth in self.minus)

    def over(self, marks: Sequence[Mark]) -> list[float | None]:
        """The values of several questions, in their order."""
        return [self.of(mark) for mark in marks]

    def __str__(self) -> str:
        if self.least is not None:
            return f"least {self.least}"
        return "score" + "".join(f" - {worth:g} {unit}" for unit, worth in self.minus)
