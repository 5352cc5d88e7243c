"""A point of the space as far as it was tried."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from ..compiler.space import Choice
from .aim import Aim
from .mark import Mark

__all__ = ["State", "Trial", "key_of", "mean"]

State: TypeAlias = Literal["running", "done", "dropped", "costly", "refused"]
"""`done` has answered every question of the search, `dropped` lost the race before, `costly`
costs more than a question may, `refused` never asked anything."""


def key_of(choice: Choice) -> str:
    """A choice as a text, the same for equal choices."""
    return json.dumps(dict(choice), sort_keys=True, separators=(",", ":"))


def mean(values: Sequence[float | None]) -> float:
    """The mean of what is known; minus infinity of nothing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else float("-inf")


@dataclass(frozen=True, slots=True)
class Trial:
    """A choice with a mark for each question it was asked, in the one order of all trials."""

    number: int
    choice: Choice
    marks: tuple[Mark, ...] = ()
    state: State = "running"
    why: str = ""
    """Why it was dropped or refused."""
    key: str = field(init=False, compare=False, repr=False)
    """The choice as a text."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", key_of(self.choice))

    @property
    def paid(self) -> int:
        """Calls that were newly asked for."""
        return sum(mark.paid for mark in self.marks)

    @property
    def asked(self) -> bool:
        """Whether there is anything to compare."""
        return any(mark.score is not None for mark in self.marks)

    def value(self, aim: Aim, count: int | None = None) -> float:
        """The mean of an objective over its first questions, or over all it was asked."""
        return mean(aim.over(self.marks[:count]))

    def cost(self, unit: str) -> float:
        """What a question cost on average."""
        return sum(float(getattr(m, unit)) for m in self.marks) / max(1, len(self.marks))

    def with_marks(self, marks: Sequence[Mark]) -> Trial:
        """The trial with more questions answered."""
        return replace(self, marks=(*self.marks, *marks))

    def ended(self, state: State, why: str = "") -> Trial:
        """The trial as it ended."""
        return replace(self, state=state, why=why)

    def record(self) -> str:
        """The marks as JSON; `marks_of` reads them."""
        return json.dumps([mark.record() for mark in self.marks], separators=(",", ":"))

    @staticmethod
    def marks_of(text: str) -> tuple[Mark, ...]:
        """What `record` wrote."""
        return tuple(Mark.of(told) for told in json.loads(text))
