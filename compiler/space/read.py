"""An open pipeline's document to its holes, and to the tree that they stand in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from ..build.faults import Faults
from ..errors import SpecError
from ..graph import INPUT, QUESTION
from ..holes import LITERAL, OPEN_KEYS, TABLES, form
from ..source import Entry, Located
from .hole import Choice, Hole, When
from .layout import is_source, words
from .numbers import BadRange, Range, range_of
from .parts import Fixed, Given, Items, Maybe, Number, Part, Pick, Prefix, Some, Steps, Table, Turns

__all__ = ["MOST_HOLES", "MOST_OPTIONS", "Group", "Reader"]

MOST_HOLES: Final = 300
"""Holes of one file, those of every turn of a repeated step counted."""

MOST_OPTIONS: Final = 1000
"""Options of one hole."""

_MOST_TURNS: Final = 100
_MOST_STEPS: Final = 2000
"""Steps that are read, those of every turn counted."""

Path: TypeAlias = "tuple[str | int, ...]"


@dataclass(frozen=True, slots=True)
class Group:
    """Holes that are the items of one subset, and how many may be chosen where it exists."""

    name: str
    holes: tuple[str, ...]
    low: int
    high: int
    when: When


@dataclass(slots=True)
class Reader:
    """Reads an open pipeline; what is wrong with it goes to `faults`."""

    faults: Faults
    holes: dict[str, Hole] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    times: dict[str, str] = field(default_factory=dict)
    """The hole that says how often, by the name of a repeated step."""
    steps: dict[str, When] = field(default_factory=dict)
    """When each step exists, by its name in dots."""
    conditions: dict[str, Path] = field(default_factory=dict)
    """Where the condition stands of what is there only `if` it holds, by its name."""
    checks: dict[str, Callable[[Choice], bool]] = field(default_factory=dict)
    """The conditions, once they can be read."""
    _when: When = ()
    _read: int = 0

    def read(self, root: Located) -> Part:
        """The tree of a whole file."""
        if not isinstance(root.value, dict):
            return Fixed(root)
        kept = {key: entry for key, entry in root.value.items() if key not in OPEN_KEYS}
        return self._table(replace(root, value=kept), (), "")

    def _part(self, node: Located, path: Path, name: str) -> Part:
        kind = form(node)
        if kind == LITERAL:
            return Fixed(node)
        if kind:
            return _FORMS[kind](self, node, path, name)
        if isinstance(node.value, dict):
            return self._table(node, path, name)
        if isinstance(node.value, tuple):
            parts = tuple(
                self._part(item, (*path, place), f"{name}.{place}")
                for place, item in enumerate(node.value)
            )
            return Fixed(node) if _fixed(parts) else Items(node, parts)
        return Fixed(node)

    def _table(self, node: Located, path: Path, name: str) -> Part:
        assert isinstance(node.value, dict)
        entries: dict[str, tuple[Entry, Part]] = {}
        for key, entry in node.value.items():
            inside = f"{name}.{key}" if name else key
            if key in TABLES and isinstance(entry.node.value, dict):
                part = self._named(key, entry.node, (*path, key), inside)
            else:
                part = self._part(entry.node, (*path, key), inside)
            entries[key] = (entry, part)
        return Fixed(node) if _fixed(part for _, part in entries.values()) else Table(node, entries)

    def _named(self, key: str, node: Located, path: Path, name: str) -> Part:
        """A mapping whose keys are names."""
        if key == "steps":
            entries = self._steps(node, path, name)
            before = INPUT if len(path) > 1 else ""
            return (
                Fixed(node)
                if _fixed(p for _, p in entries.values())
                else Steps(node, entries, before)
            )
        return self._table(node, path, name)

    def _steps(self, node: Located, path: Path, name: str) -> dict[str, tuple[Entry, Part]]:
        assert isinstance(node.value, dict)
        entries: dict[str, tuple[Entry, Part]] = {}
        for key, entry in node.value.items():
            self._read += 1
            if self._read > _MOST_STEPS:
                told = f"more than {_MOST_STEPS:,} steps, those of every turn counted"
                self.faults.add("too-large", told, (*path, key), key=True)
                raise SpecError(self.faults.found)
            self.steps[f"{name}.{key}"] = self._when
            if form(entry.node) == "repeat":
                part = self._repeat(entry.node, (*path, key), f"{name}.{key}")
            else:
                part = self._part(entry.node, (*path, key), f"{name}.{key}")
            entries[key] = (entry, part)
        self._check_names(entries, path)
        return entries

    def _check_names(self, entries: Mapping[str, tuple[Entry, Part]], path: Path) -> None:
        """A fault for each step that is called as one of a turn will be."""
        laid = {
            f"{name}_{turn}_{inner}"
            for name, (_, part) in entries.items()
            if isinstance(part, Turns)
            for turn, steps in enumerate(part.turns, 1)
            for inner in steps
        }
        for name in laid & entries.keys():
            told = f"a step of a repetition will be called {name!r}, too"
            self.faults.add("step-name", told, (*path, name), key=True)

    def _choose(self, node: Located, path: Path, name: str) -> Part:
        listed, at = _entry(node, "choose"), (*path, "choose")
        if not isinstance(listed.value, tuple | dict) or not listed.value:
            self.faults.add("hole", "`choose:` takes a list of what is chosen among", at)
            return Fixed(node)
        if len(listed.value) > MOST_OPTIONS:
            self.faults.add("hole", f"more than {MOST_OPTIONS:,} options", at)
            return Fixed(node)
        options, labels, places = _options(listed)
        plain = [option.plain() for option in options]
        for place, written in enumerate(plain):
            if _same(written, plain[:place]):
                self.faults.add("hole", "this option is there twice", (*at, places[place]))
        hole = self._hole(name, "choose", node, options=labels)
        parts = []
        for place, option in enumerate(options):
            named = isinstance(listed.value, dict) or _is_step(option)
            word = _word(labels[place]) if named else place
            with self._within(hole, place):
                parts.append(self._part(option, (*at, places[place]), f"{name}.{word}"))
        return Pick(node, hole, tuple(parts))

    def _between(self, node: Located, path: Path, name: str) -> Part:
        found = self._range(node, path)
        if found is None:
            return Fixed(node)
        if found.step is None:
            hole = self._hole(name, "between", node, low=found.low, high=found.high, log=found.log)
            return Number(node, hole)
        hole = self._hole(name, "between", node, options=found.grid())
        return Pick(node, hole, tuple(Fixed(replace(node, value=n)) for n in found.grid()))

    def _optional(self, node: Located, path: Path, name: str) -> Part:
        inner = _entry(node, "optional")
        if isinstance(node.value, dict) and "if" in node.value:
            return self._given(node, path, name)
        hole = self._hole(name, "optional", node, options=(False, True))
        with self._within(hole, True):
            if name in self.steps:
                self.steps[name] = self._when
            part = self._part(inner, (*path, "optional"), name)
        return Maybe(node, hole, part, self._read_by(inner, (*path, "optional")))

    def _given(self, node: Located, path: Path, name: str) -> Part:
        """What is there exactly where a condition holds: no hole."""
        inner, at = _entry(node, "optional"), (*path, "optional")
        before = len(self.holes)
        part = self._part(inner, at, name)
        if len(self.holes) > before:
            told = "what stands under an `if:` is not open: its conditions are those of `where:`"
            self.faults.add("hole", told, at)
        unique = f"{name}.if{len(self.conditions)}"
        self.conditions[unique] = (*path, "if")
        return Given(node, unique, self.checks, part, self._read_by(inner, at))

    def _read_by(self, node: Located, path: Path) -> tuple[str, ...] | None:
        """What a step reads that may be absent; None for the step before it."""
        if form(node) == "choose":
            options = _entry(node, "choose")
            if not isinstance(options.value, tuple | dict):
                return None
            pairs = zip(*_options(options)[::2], strict=True)
            read = {self._read_by(option, (*path, "choose", place)) for option, place in pairs}
            if len(read) > 1:
                message = (
                    "what to read without these steps is not known: they read different things"
                )
                self.faults.add("hole", message, path, "write the same `from:` in each")
            return next(iter(read), None)
        if not isinstance(node.value, dict) or "op" not in node.value:
            return None
        told = node.value.get("from")
        if told is None:
            source = is_source(node.value["op"].node.value)
            return (QUESTION,) if source else None
        names = words(told.node)
        if names is None and form(told.node):
            message = "what a step reads cannot be open where the step itself may be absent"
            self.faults.add("hole", message, (*path, "from"))
        return names

    def _subset(self, node: Located, path: Path, name: str) -> Part:
        items = _entry(node, "subset")
        at = (*path, "subset")
        if not isinstance(items.value, tuple) or not items.value:
            self.faults.add("hole", "`subset:` takes a list of what is chosen from", at)
            return Fixed(node)
        low, high = self._size(node, path, len(items.value))
        labels = _labels(items.value)
        holes: list[str] = []
        parts: list[Part] = []
        for place, item in enumerate(items.value):
            word = _word(labels[place]) if isinstance(labels[place], str) else place
            inside = f"{name}.{word}"
            holes.append(self._hole(inside, "item", item, options=(False, True)))
            with self._within(holes[-1], True):
                parts.append(self._part(item, (*at, place), inside))
        self.groups[name] = Group(name, tuple(holes), low, high, self._when)
        return Some(node, tuple(holes), tuple(parts))

    def _size(self, node: Located, path: Path, most: int) -> tuple[int, int]:
        assert isinstance(node.value, dict)
        if "size" not in node.value:
            return 1, most
        size, at = node.value["size"].node, (*path, "size")
        if type(size.value) is int:
            low = high = size.value
        elif form(size) == "between":
            found = self._range(size, at)
            if found is None:
                return 0, most
            if not found.whole or found.step is not None or found.log:
                self.faults.add(
                    "hole", "the sizes of a subset are whole numbers, all between two", at
                )
                return 0, most
            low, high = int(found.low), int(found.high)
        else:
            told = "`size:` is a whole number or {between: [fewest, most]}"
            self.faults.add("hole", told, at)
            return 0, most
        if not 0 <= low <= high <= most:
            told = f"a subset of {most} has between 0 and {most} items"
            self.faults.add("hole", told, at)
            return 0, most
        return low, high

    def _take(self, node: Located, path: Path, name: str) -> Part:
        listed = _entry(node, "of")
        if not isinstance(listed.value, tuple) or not listed.value:
            self.faults.add(
                "hole", "`of:` takes the list of which the first are taken", (*path, "of")
            )
            return Fixed(node)
        most = len(listed.value)
        told = self._whole(_entry(node, "take"), (*path, "take"), name, 0, most, "items")
        if told is None:
            return Fixed(node)
        hole, counts = told
        parts = []
        for place, item in enumerate(listed.value):
            with self._within(hole, _reaching(counts, place + 1)):
                parts.append(self._part(item, (*path, "of", place), f"{name}.{place}"))
        return Prefix(node, hole, counts, tuple(parts))

    def _repeat(self, node: Located, path: Path, name: str) -> Part:
        told, at = _entry(node, "repeat"), (*path, "repeat")
        keys = told.value if isinstance(told.value, dict) else {}
        for key in keys:
            if key not in ("times", "steps", "same"):
                known = "known: same, steps, times"
                self.faults.add("unknown-key", f"unknown key {key!r}", (*at, key), known, key=True)
        steps = keys["steps"].node if "steps" in keys else None
        if (
            "times" not in keys
            or steps is None
            or not isinstance(steps.value, dict)
            or not steps.value
        ):
            self.faults.add("hole", "`repeat:` takes `times:` and `steps:`", at)
            return Fixed(node)
        same = keys["same"].node.value if "same" in keys else False
        if not isinstance(same, bool):
            self.faults.add("hole", "`same:` is true or false", (*at, "same"))
        inside = f"{name}.times"
        most = self._whole(keys["times"].node, (*at, "times"), inside, 0, _MOST_TURNS, "turns")
        if most is None:
            return Fixed(node)
        hole, counts = most
        if hole:
            self.times[name] = hole
            with self._within(hole, _reaching(counts, 1)):
                self.steps[name] = self._when
        turns: list[Mapping[str, tuple[Entry, Part]]] = []
        for turn in range(1, max(counts) + 1):
            if same and turns:
                turns.append(turns[0])
                continue
            with self._within(hole, _reaching(counts, turn)):
                called = name if same else f"{name}_{turn}"
                turns.append(self._steps(steps, (*at, "steps"), called))
        return Turns(node, hole, counts, tuple(turns))

    def _misplaced(self, node: Located, path: Path, name: str) -> Part:
        told = "`repeat:` stands in the place of a step, under its name in `steps:`"
        self.faults.add("hole", told, path)
        return Fixed(node)

    def _whole(
        self, node: Located, path: Path, name: str, least: int, most: int, what: str
    ) -> tuple[str, tuple[int, ...]] | None:
        """How many: the name of the hole, "" where it is written, and the numbers it can be."""
        counts: tuple[Any, ...] = ()
        kind = form(node)
        if type(node.value) is int:
            counts = (node.value,)
        elif kind == "between":
            found = self._range(node, path)
            if found is None:
                return None
            counts = found.grid() if found.whole and found.high - found.low <= most else (-1,)
        elif kind == "choose":
            listed = _entry(node, "choose").value
            counts = tuple(item.value for item in listed) if isinstance(listed, tuple) else ()
        if not counts or any(type(n) is not int for n in counts) or len(set(counts)) < len(counts):
            told = "a whole number, {between: [fewest, most]} or {choose: […]} of whole numbers"
            self.faults.add("hole", told, path)
            return None
        if min(counts) < least or max(counts) > most:
            self.faults.add("hole", f"between {least} and {most} {what}", path)
            return None
        open_ = type(node.value) is not int
        return (self._hole(name, "count", node, options=counts) if open_ else ""), counts

    def _range(self, node: Located, path: Path) -> Range | None:
        try:
            return range_of(node.plain(), MOST_OPTIONS)
        except BadRange as error:
            self.faults.add("hole", str(error), (*path, *error.path))
            return None

    def _hole(self, name: str, kind: str, node: Located, **told: Any) -> str:
        """Add a hole under a name that no other has."""
        unique, number = name, 1
        while unique in self.holes or unique in self.groups:
            unique = f"{name}.{kind}" if number == 1 else f"{name}.{kind}{number}"
            number += 1
        if len(self.holes) == MOST_HOLES:
            self.faults.at("hole", f"more than {MOST_HOLES} holes", node.span)
            raise SpecError(self.faults.found)
        self.holes[unique] = Hole(unique, **told, when=self._when, span=node.span)
        return unique

    @contextmanager
    def _within(self, hole: str, chosen: int | bool | tuple[int, ...]) -> Iterator[None]:
        """What is read meanwhile exists only under this choice."""
        before = self._when
        everywhere = (
            isinstance(chosen, tuple) and hole and (len(chosen) == len(self.holes[hole].options))
        )
        if hole and not everywhere:
            only = chosen[0] if isinstance(chosen, tuple) and len(chosen) == 1 else chosen
            self._when = (*before, (hole, only))
        try:
            yield
        finally:
            self._when = before


_FORMS: Mapping[str, Callable[[Reader, Located, Path, str], Part]] = MappingProxyType(
    {
        "choose": Reader._choose,
        "between": Reader._between,
        "optional": Reader._optional,
        "repeat": Reader._misplaced,
        "subset": Reader._subset,
        "take": Reader._take,
    }
)


def _entry(node: Located, key: str) -> Located:
    assert isinstance(node.value, dict)
    return node.value[key].node


def _fixed(parts: Any) -> bool:
    return all(isinstance(part, Fixed) for part in parts)


def _reaching(counts: tuple[int, ...], place: int) -> tuple[int, ...]:
    """The options under which so many are there."""
    return tuple(option for option, count in enumerate(counts) if count >= place)


def _word(label: str) -> str:
    """A label as a part of a name, which conditions can name."""
    return re.sub(r"\W+", "_", label) or "_"


def _same(value: Any, others: list[Any]) -> bool:
    """Whether a value is among others; 1 and true are two."""
    return any(other == value and repr(other) == repr(value) for other in others)


def _is_step(node: Located) -> bool:
    return isinstance(node.value, dict) and "op" in node.value


def _options(
    listed: Located,
) -> tuple[tuple[Located, ...], tuple[Any, ...], tuple[str | int, ...]]:
    """What is chosen among, what each is called, and where each stands: options have names of their
    own in a mapping."""
    if isinstance(listed.value, dict):
        names = tuple(listed.value)
        return tuple(entry.node for entry in listed.value.values()), names, names
    assert isinstance(listed.value, tuple)
    return listed.value, _labels(listed.value), tuple(range(len(listed.value)))


def _labels(options: tuple[Located, ...]) -> tuple[Any, ...]:
    """What each option is called: itself, or for a step its operator."""
    told = [_label(option) for option in options]
    names = [label for label in told if isinstance(label, str)]
    return tuple(
        f"{label} {place + 1}" if isinstance(label, str) and names.count(label) > 1 else label
        for place, label in enumerate(told)
    )


def _label(option: Located) -> Any:
    if _is_step(option):
        kind = _entry(option, "op").value
        return kind if isinstance(kind, str) else "step"
    kind = form(option)
    if kind == LITERAL:
        return _entry(option, LITERAL).plain()
    return kind or option.plain()
