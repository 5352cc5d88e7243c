"""An open pipeline as a tree whose parts give a value once it is chosen what they stand for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..source import Entry, Located
from .hole import Choice
from .layout import Laid, Turned, lay_out

__all__ = [
    "Fixed",
    "Given",
    "Items",
    "Maybe",
    "Number",
    "Part",
    "Pick",
    "Prefix",
    "Some",
    "Steps",
    "Table",
    "Turns",
]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an open pipeline; `node` is where it was written."""

    node: Located

    @abstractmethod
    def fill(self, choice: Choice) -> Located | None:
        """The value under a choice; None where there is none."""


@dataclass(frozen=True, slots=True)
class Fixed(Part):
    """A value without holes."""

    def fill(self, choice: Choice) -> Located | None:
        return self.node


_Entries: TypeAlias = "Mapping[str, tuple[Entry, Part]]"


@dataclass(frozen=True, slots=True)
class Table(Part):
    """A mapping with holes inside."""

    entries: _Entries

    def fill(self, choice: Choice) -> Located | None:
        filled = {key: (entry, part.fill(choice)) for key, (entry, part) in self.entries.items()}
        made = {key: Entry(entry.key, node) for key, (entry, node) in filled.items() if node}
        return replace(self.node, value=made)


@dataclass(frozen=True, slots=True)
class Items(Part):
    """A list with holes inside."""

    parts: tuple[Part, ...]

    def fill(self, choice: Choice) -> Located | None:
        return _list(self.node, self.parts, choice)


@dataclass(frozen=True, slots=True)
class Pick(Part):
    """One of several values."""

    hole: str
    parts: tuple[Part, ...]

    def fill(self, choice: Choice) -> Located | None:
        return self.parts[int(choice[self.hole])].fill(choice)


@dataclass(frozen=True, slots=True)
class Number(Part):
    """A number of a range."""

    hole: str

    def fill(self, choice: Choice) -> Located | None:
        return replace(self.node, value=choice[self.hole])


@dataclass(frozen=True, slots=True)
class Maybe(Part):
    """A value that is there or not. `reads` is what a step reads that is not there: None for the
    step before it."""

    hole: str
    part: Part
    reads: tuple[str, ...] | None = None

    def fill(self, choice: Choice) -> Located | None:
        return self.part.fill(choice) if choice[self.hole] else None


@dataclass(frozen=True, slots=True)
class Given(Part):
    """A value that is there where a condition on holes holds. The condition is looked up by `name`
    in `conditions`, since it may name holes that come later; `reads` is as in `Maybe`."""

    name: str
    conditions: Mapping[str, Callable[[Choice], bool]]
    part: Part
    reads: tuple[str, ...] | None = None

    def fill(self, choice: Choice) -> Located | None:
        return self.part.fill(choice) if self.conditions[self.name](choice) else None


@dataclass(frozen=True, slots=True)
class Some(Part):
    """Some of several values; each has a hole of its own."""

    holes: tuple[str, ...]
    parts: tuple[Part, ...]

    def fill(self, choice: Choice) -> Located | None:
        pairs = zip(self.holes, self.parts, strict=True)
        return _list(self.node, tuple(part for hole, part in pairs if choice[hole]), choice)


@dataclass(frozen=True, slots=True)
class Prefix(Part):
    """The first values of a list: `counts` says how many for each option, the only one where there
    is no hole."""

    hole: str
    counts: tuple[int, ...]
    parts: tuple[Part, ...]

    def fill(self, choice: Choice) -> Located | None:
        count = self.counts[int(choice[self.hole]) if self.hole else 0]
        return _list(self.node, self.parts[:count], choice)


@dataclass(frozen=True, slots=True)
class Turns(Part):
    """Steps that come several times: `counts` says how often for each option."""

    hole: str
    counts: tuple[int, ...]
    turns: tuple[_Entries, ...]

    def fill(self, choice: Choice) -> Located | None:
        raise AssertionError("laid out by the steps that it stands among")

    def laid(self, choice: Choice) -> tuple[Turned, ...]:
        """The steps of each turn under a choice."""
        count = self.counts[int(choice[self.hole]) if self.hole else 0]
        return tuple(_laid(turn, choice) for turn in self.turns[:count])


@dataclass(frozen=True, slots=True)
class Steps(Part):
    """Steps with holes among them; `before` is what the first of them reads."""

    entries: _Entries
    before: str = ""

    def fill(self, choice: Choice) -> Located | None:
        return self.laid_out(choice).node

    def laid_out(self, choice: Choice) -> Laid:
        """The steps that there are, each reading what it would have read."""
        return lay_out(self.node, _laid(self.entries, choice), self.before)


def _laid(entries: _Entries, choice: Choice) -> Turned:
    made: Turned = {}
    for name, (entry, part) in entries.items():
        if isinstance(part, Turns):
            made[name] = (entry, part.laid(choice))
        else:
            made[name] = (entry, part.fill(choice) or _reads(part, choice))
    return made


def _reads(part: Part, choice: Choice) -> tuple[str, ...] | None:
    """What an absent step reads; None for the step before it."""
    if isinstance(part, Pick):
        return _reads(part.parts[int(choice[part.hole])], choice)
    return part.reads if isinstance(part, Maybe | Given) else None


def _list(node: Located, parts: tuple[Part, ...], choice: Choice) -> Located:
    filled = (part.fill(choice) for part in parts)
    return replace(node, value=tuple(item for item in filled if item is not None))
