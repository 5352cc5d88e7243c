"""Steps that are not there and steps that come several times, laid out as plain steps."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from ..graph import INPUT, QUESTION
from ..op import Source
from ..registry import operator, operator_names
from ..source import Entry, Located

__all__ = ["Laid", "Turned", "is_source", "lay_out", "words"]

_Held: TypeAlias = "Located | tuple[str, ...] | tuple[Turned, ...] | None"

Turned: TypeAlias = "dict[str, tuple[Entry, _Held]]"
"""Steps by name: a step; what one that is absent reads, None for the step before it; or the turns
of one that repeats."""

_Names: TypeAlias = "tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Laid:
    """Steps as they are, `last` what the one after them would read, and what it now means to read
    one of those written."""

    node: Located
    last: _Names
    means: Mapping[str, _Names]


def lay_out(node: Located, steps: Turned, before: str) -> Laid:
    """The steps that there are. What read an absent step reads what that one would have read; what
    read a repeated one, the last of its turns."""
    layout = _Layout(before)
    layout.add(steps, layout.means)
    return Laid(replace(node, value=layout.steps), layout.before, layout.means)


def is_source(kind: object) -> bool:
    """Whether an operator reads the question alone."""
    return kind in operator_names() and issubclass(operator(str(kind)), Source)


def words(written: Located | None) -> _Names | None:
    """The names under `from:`; None where they are none."""
    if written is None:
        return None
    listed = written.value if isinstance(written.value, tuple) else (written,)
    names = tuple(item.value for item in listed)
    return tuple(map(str, names)) if all(isinstance(name, str) for name in names) else None


class _Layout:
    """The steps so far; `before` is what a step reads that does not say."""

    def __init__(self, before: str) -> None:
        self.steps: dict[str, Entry] = {}
        self.means: dict[str, _Names] = {}
        self.before: _Names = (before,) if before else ()
        self._above = before

    def add(self, steps: Turned, means: MutableMapping[str, _Names], prefix: str = "") -> None:
        """Add steps under their names after a prefix; `means` is what reading a name means."""
        for name, (entry, step) in steps.items():
            if isinstance(step, Located):
                self._present(f"{prefix}{name}", entry, step, means)
                means[name] = (f"{prefix}{name}",)
            elif step and isinstance(step[0], dict):
                self._turns(f"{prefix}{name}", step, means)
                means[name] = self.before
            elif step == ():
                means[name] = self.before
            else:
                means[name] = self._absent(step, means)

    def _turns(self, name: str, turns: Any, means: MutableMapping[str, _Names]) -> None:
        for number, turn in enumerate(turns, 1):
            inside = ChainMap({INPUT: self.before}, means)
            self.add(turn, inside, f"{name}_{number}_")

    def _absent(self, reads: Any, means: Mapping[str, _Names]) -> _Names:
        if reads is None:
            return self.before
        if reads == (QUESTION,):
            # A source that is not there hides nothing from the step after it.
            return (QUESTION,)
        self.before = tuple(_meant(reads, means))
        return self.before

    def _present(self, name: str, entry: Entry, step: Located, means: Mapping[str, _Names]) -> None:
        told = step.value.get("from") if isinstance(step.value, dict) else None
        if told is not None:
            named = words(told.node)
            meant = tuple(_meant(named, means)) if named is not None else named
            if meant is not None and meant != named:
                kept = tuple(name for name in meant if name != QUESTION)
                step = _reading(step, kept or (QUESTION,), told)
        elif self.before and self.before != (self._above,) and _reads(step.plain()):
            step = _reading(step, self.before, entry)
        self.steps[name] = Entry(entry.key, step)
        self.before, self._above = (name,), name


def _meant(names: _Names, means: Mapping[str, _Names]) -> Iterator[str]:
    """What is read in the place of some names, each once."""
    seen: dict[str, None] = {}
    for name in names:
        seen.update(dict.fromkeys(means.get(name, (name,))))
    yield from seen


def _reading(step: Located, names: _Names, at: Entry) -> Located:
    """A step with another `from:`, told to stand where `at` does."""
    assert isinstance(step.value, dict)
    items = tuple(Located(name, at.node.extent) for name in names)
    told = items[0] if len(items) == 1 else Located(items, at.node.extent)
    made = {}
    for key, entry in step.value.items():
        if key != "from":
            made[key] = entry
        if key == ("from" if "from" in step.value else "op"):
            made["from"] = Entry(at.key, told)
    return replace(step, value=made)


def _reads(step: Any) -> bool:
    """Whether a step without `from:` reads the one before it."""
    if not isinstance(step, dict):
        return False
    kind = step.get("op")
    bodies = [step[key] for key in ("by",) if key in step]
    for key in ("stages", "cases"):
        bodies += step[key].values() if isinstance(step.get(key), dict) else []
    if kind in ("loop", "cascade", "route"):
        return any(map(_body_reads, [*bodies, *([step] if "steps" in step else [])]))
    return not is_source(kind)


def _body_reads(body: Any) -> bool:
    """Whether any of the steps inside a region reads what the region is fed."""
    inside = body.get("steps") if isinstance(body, dict) else None
    steps = list(inside.values()) if isinstance(inside, dict) else [body]
    for place, step in enumerate(steps):
        if not isinstance(step, dict):
            continue
        told = step.get("from")
        if INPUT in (told if isinstance(told, list) else [told]):
            return True
        if place == 0 and told is None and _reads(step):
            return True
    return False
