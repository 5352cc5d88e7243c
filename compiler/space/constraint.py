"""What a choice must satisfy: each line under `where:`, and the size of each subset."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from .expression import Expression, Sums, holds
from .hole import Choice
from .read import Group

__all__ = ["Constraint", "Size", "Where", "sums"]


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a choice must satisfy."""

    @abstractmethod
    def broken(self, choice: Choice, sums: Sums) -> bool:
        """Whether a choice breaks it."""

    @abstractmethod
    def needs(self) -> frozenset[str]:
        """The holes on which it depends one by one."""

    @abstractmethod
    def counts(self) -> frozenset[str]:
        """The subsets of which it counts the items."""


@dataclass(frozen=True, slots=True)
class Where(Constraint):
    """A condition that is written in the file."""

    text: str
    told: Expression

    def broken(self, choice: Choice, sums: Sums) -> bool:
        found = self.told.value(choice, sums)
        return found is False or found == 0

    def needs(self) -> frozenset[str]:
        return self.told.needs()

    def counts(self) -> frozenset[str]:
        return self.told.counts()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Size(Constraint):
    """How many items of a subset there may be."""

    group: Group

    def broken(self, choice: Choice, sums: Sums) -> bool:
        if not holds(self.group.when, choice):
            return False
        return not self.group.low <= sums[self.group.name] <= self.group.high

    def needs(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.group.when)

    def counts(self) -> frozenset[str]:
        return frozenset((self.group.name,))

    def __str__(self) -> str:
        low, high = self.group.low, self.group.high
        size = f"{low}" if low == high else f"between {low} and {high}"
        return f"{self.group.name} has {size} items"


def sums(groups: tuple[Group, ...], choice: Choice) -> Sums:
    """How many items of each subset are chosen."""
    return {group.name: sum(bool(choice.get(hole, 0)) for hole in group.holes) for group in groups}
