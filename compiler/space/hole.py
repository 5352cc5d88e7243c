"""What is open in a pipeline, and what is chosen for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..errors import Span
from ..values import Json

__all__ = ["Choice", "Hole", "When"]

Choice: TypeAlias = "Mapping[str, int | float]"
"""By the name of a hole: the index of an option, or a number of a range."""

When: TypeAlias = "tuple[tuple[str, int | bool | tuple[int, ...]], ...]"
"""Under what a hole exists: names of outer holes, each with the index that is chosen there, or with
several of which one is."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A place where a value is still to be chosen: among options, or within a range."""

    name: str
    """Its path in the file, with dots; unique."""
    options: tuple[Json, ...] = ()
    """What is chosen among; steps are told by their operators. `(False, True)` is absent or
    present. Empty for a range."""
    low: float | int | None = None
    high: float | int | None = None
    """The bounds of a range, both included; whole numbers alone where both are whole."""
    log: bool = False
    """Whether ratios count in a range rather than differences."""
    when: When = ()
    """It exists only where all of this holds."""
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def count(self) -> int | None:
        """How many values it can have; None for a continuous range."""
        if self.options:
            return len(self.options)
        if isinstance(self.low, int) and isinstance(self.high, int):
            return self.high - self.low + 1
        return None

    def exists(self, choice: Mapping[str, int | float]) -> bool:
        """Whether it exists under what is chosen for the holes around it."""
        for name, wanted in self.when:
            chosen = choice.get(name)
            if chosen is None or not (
                chosen in wanted if isinstance(wanted, tuple) else chosen == wanted
            ):
                return False
        return True

    def nth(self, place: int) -> int:
        """The value at a place among all that it can have, for a choice."""
        return place if self.options else int(self.low or 0) + place

    def value(self, chosen: float) -> Any:
        """What stands for a choice: the option, or the number itself."""
        return self.options[int(chosen)] if self.options else chosen

    def wrong(self, chosen: object) -> str:
        """Why a choice cannot be; "" if it can."""
        if isinstance(chosen, bool) and self.options == (False, True):
            return ""
        if isinstance(chosen, bool) or not isinstance(chosen, int | float):
            return f"{chosen!r} is not a number"
        if self.options:
            inside = chosen == int(chosen) and 0 <= chosen < len(self.options)
            return "" if inside else f"no option {chosen}: there are {len(self.options)}"
        if not math.isfinite(chosen) or not (self.low or 0) <= chosen <= (self.high or 0):
            return f"{chosen} is not between {self.low} and {self.high}"
        if self.count is not None and chosen != int(chosen):
            return f"{chosen} is not a whole number"
        return ""

    def settled(self, chosen: float) -> int | float:
        """A choice as it is written: whole where it must be whole, 1 and 1.0 alike."""
        return float(chosen) if self.count is None else int(chosen)

    def told(self, chosen: float) -> str:
        """A choice in words."""
        value = self.value(chosen)
        if self.options == (False, True):
            return "present" if value else "absent"
        return _short(value)


_LONGEST = 60


def _short(value: Any) -> str:
    """A value in a line."""
    if isinstance(value, str):
        line = " ".join(value.split())
        return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_short(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_short, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
