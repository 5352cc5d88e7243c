"""Conditions on what is chosen: small expressions over holes, as trees that give their value.

What a hole is that does not exist cannot be told, so neither can what is said of it: the logic has
three values, and a condition is broken only where it is plainly false.
"""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from .hole import Choice, Hole, When

__all__ = [
    "MISSING",
    "All",
    "Any_",
    "Compare",
    "Constant",
    "Count",
    "Expression",
    "Missing",
    "Not",
    "Present",
    "Sums",
    "Total",
    "Value",
    "holds",
]

Sums: TypeAlias = "Mapping[str, int]"
"""How many items are chosen, by the name of the subset."""


class Missing(Enum):
    """What a hole is that does not exist."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


def holds(when: When, choice: Choice) -> bool:
    """Whether what must be chosen for something to exist is chosen."""
    return Hole("", when=when).exists(choice)


@dataclass(frozen=True, slots=True)
class Expression:
    """A part of a condition."""

    @abstractmethod
    def value(self, choice: Choice, sums: Sums) -> Any:
        """What it is under a choice; `MISSING` where that cannot be told."""

    @property
    def numeric(self) -> bool:
        """Whether it is always a number or a truth."""
        return True

    def needs(self) -> frozenset[str]:
        """The holes on which it depends one by one."""
        return frozenset()

    def counts(self) -> frozenset[str]:
        """The subsets of which it counts the items."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Constant(Expression):
    """A value written out."""

    told: Any

    def value(self, choice: Choice, sums: Sums) -> Any:
        return self.told

    @property
    def numeric(self) -> bool:
        return isinstance(self.told, int | float)


@dataclass(frozen=True, slots=True)
class Value(Expression):
    """What is chosen for a hole."""

    hole: Hole

    def value(self, choice: Choice, sums: Sums) -> Any:
        chosen = choice.get(self.hole.name)
        return MISSING if chosen is None else self.hole.value(chosen)

    @property
    def numeric(self) -> bool:
        return all(isinstance(option, int | float) for option in self.hole.options)

    def needs(self) -> frozenset[str]:
        return frozenset((self.hole.name,))


@dataclass(frozen=True, slots=True)
class Count(Expression):
    """How many items of a subset are chosen."""

    group: str
    when: When

    def value(self, choice: Choice, sums: Sums) -> Any:
        return sums[self.group] if holds(self.when, choice) else MISSING

    def needs(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.when)

    def counts(self) -> frozenset[str]:
        return frozenset((self.group,))


@dataclass(frozen=True, slots=True)
class Present(Expression):
    """Whether a step, or what else may be absent, is there."""

    when: When

    def value(self, choice: Choice, sums: Sums) -> Any:
        return holds(self.when, choice)

    def needs(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.when)


@dataclass(frozen=True, slots=True)
class _Several(Expression):
    parts: tuple[Expression, ...]

    def needs(self) -> frozenset[str]:
        return frozenset().union(*(part.needs() for part in self.parts))

    def counts(self) -> frozenset[str]:
        return frozenset().union(*(part.counts() for part in self.parts))

    def _values(self, choice: Choice, sums: Sums) -> list[Any]:
        return [part.value(choice, sums) for part in self.parts]


@dataclass(frozen=True, slots=True)
class All(_Several):
    """`and`."""

    def value(self, choice: Choice, sums: Sums) -> Any:
        values = self._values(choice, sums)
        if any(value is not MISSING and not value for value in values):
            return False
        return MISSING if MISSING in values else True


@dataclass(frozen=True, slots=True)
class Any_(_Several):
    """`or`."""

    def value(self, choice: Choice, sums: Sums) -> Any:
        values = self._values(choice, sums)
        if any(value is not MISSING and value for value in values):
            return True
        return MISSING if MISSING in values else False


@dataclass(frozen=True, slots=True)
class Not(_Several):
    """`not`."""

    def value(self, choice: Choice, sums: Sums) -> Any:
        (value,) = self._values(choice, sums)
        return MISSING if value is MISSING else not value


_TOTALS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "neg": operator.neg,
        "min": min,
        "max": max,
    }
)


@dataclass(frozen=True, slots=True)
class Total(_Several):
    """A sum, a difference, a product, `min` or `max`."""

    sign: str

    def value(self, choice: Choice, sums: Sums) -> Any:
        values = self._values(choice, sums)
        return MISSING if MISSING in values else _TOTALS[self.sign](*values)


_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
)


@dataclass(frozen=True, slots=True)
class Compare(_Several):
    """Comparisons of neighbours, `a <= b < c`."""

    signs: tuple[str, ...]

    def value(self, choice: Choice, sums: Sums) -> Any:
        values = self._values(choice, sums)
        told: list[Any] = []
        for sign, left, right in zip(self.signs, values, values[1:], strict=False):
            unknown = left is MISSING or right is MISSING
            told.append(MISSING if unknown else _COMPARED[sign](left, right))
        if False in told:
            return False
        return MISSING if MISSING in told else True
