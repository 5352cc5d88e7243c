"""Ranges of numbers: `{between: [low, high]}`, with `log:` or `step:`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

__all__ = ["BadRange", "Range", "range_of"]


class BadRange(ValueError):
    """What is wrong with a range, and at which of its keys."""

    def __init__(self, message: str, *path: str | int) -> None:
        self.path = path
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers from `low` to `high`, both included; with `step`, those at a distance of it."""

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole."""
        return (
            isinstance(self.low, int)
            and isinstance(self.high, int)
            and type(self.step)
            in (
                int,
                type(None),
            )
        )

    @property
    def size(self) -> int:
        """How many numbers it has, with a step of 1 if it has none."""
        low, high = Decimal(str(self.low)), Decimal(str(self.high))
        return int((high - low) / Decimal(str(self.step or 1))) + 1

    def grid(self) -> tuple[int | float, ...]:
        """Its numbers, as decimals have them: 0.1 to 0.3 by 0.1 holds 0.3."""
        low, step = Decimal(str(self.low)), Decimal(str(self.step or 1))
        made = (low + step * place for place in range(self.size))
        return tuple(int(n) if self.whole else float(n) for n in made)


def range_of(written: Any, most: int) -> Range:
    """The range that a mapping with `between:` says, of at most so many steps. Raises BadRange."""
    bounds = written["between"]
    if not isinstance(bounds, list) or len(bounds) != 2 or not all(map(_is_number, bounds)):
        raise BadRange("`between:` takes two numbers: [low, high]", "between")
    low, high = bounds
    if low >= high:
        raise BadRange(f"{low} is not below {high}", "between")
    if isinstance(low, int) != isinstance(high, int):
        low, high = float(low), float(high)
    log, step = written.get("log", False), written.get("step")
    if not isinstance(log, bool):
        raise BadRange("`log:` is true or false", "log")
    if log and low <= 0:
        raise BadRange("ratios count with `log:`, so the lower bound is above 0", "between", 0)
    if step is None:
        return Range(low, high, log)
    if log:
        raise BadRange("`log:` and `step:` exclude one another", "step")
    if not _is_number(step) or step <= 0:
        raise BadRange("`step:` is a number above 0", "step")
    found = Range(low, high, step=step)
    if found.size > most:
        raise BadRange(f"more than {most:,} steps", "step")
    return found


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
