"""How many points a space has, and which is the nth, without going through all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from .constraint import Constraint
from .hole import Hole
from .read import Group

__all__ = ["MOST_WORK", "Counting", "TooMany"]

MOST_WORK: Final = 300_000
"""Steps of counting after which a space counts as too entangled."""

_Key: TypeAlias = "tuple[tuple[int | None, ...], tuple[int, ...]]"


class TooMany(ValueError):
    """The constraints tie together too much to be counted."""


_Due: TypeAlias = "Sequence[tuple[Constraint, int]]"
"""Constraints, each with the hole after which it can be checked."""


@dataclass(frozen=True, slots=True)
class _Step:
    """Values of a hole, `size` of them from `first` on, that lead to one key; None: no hole."""

    first: int | None
    size: int
    key: _Key


class Counting:
    """The points of a space in order, counted.

    Holes are taken one after the other. Of what was chosen before a hole, only that is told apart
    which a later hole or constraint still asks for: what is independent is then counted once and
    multiplied, and the work follows from how far the constraints reach, not from the number of
    points. Continuous ranges count as one value, and constraints on them are left to the caller.

    Raises TooMany.
    """

    def __init__(
        self, holes: Sequence[Hole], groups: Sequence[Group], constraints: Sequence[Constraint]
    ) -> None:
        self._holes = holes
        self._place = {hole.name: place for place, hole in enumerate(holes)}
        self._groups = {group.name: group for group in groups}
        self._in_group = {name: group.name for group in groups for name in group.holes}
        due = [(constraint, self._due(constraint)) for constraint in constraints]
        self._checked = [[c for c, when in due if when == n] for n in range(len(holes))]
        self._live = list(self._still_asked(due))
        self._summed = list(self._still_counted(due))
        self._matter = [self._matters(place) for place in range(len(holes))]
        self._steps: list[dict[_Key, list[_Step]]] = []
        self._counts: list[dict[_Key, int]] = [{} for _ in holes]
        self._forward()
        self._backward()

    @property
    def total(self) -> int:
        """The number of points."""
        return self._counts[0][(), ()] if self._holes else 1

    def nth(self, place: int) -> dict[str, int]:
        """The point at a place, counted from 0."""
        choice: dict[str, int] = {}
        key: _Key = ((), ())
        for number, hole in enumerate(self._holes):
            for step in self._steps[number][key]:
                each = self._after(number, step.key)
                if place < step.size * each:
                    if step.first is not None and hole.count is not None:
                        choice[hole.name] = hole.nth(step.first + place // each)
                    place %= each
                    key = step.key
                    break
                place -= step.size * each
        return choice

    def _due(self, constraint: Constraint) -> int:
        """The hole after which a constraint can be checked."""
        names = set(constraint.needs())
        for group in constraint.counts():
            names.update(self._groups[group].holes)
        return max((self._place[name] for name in names), default=0)

    def _still_asked(self, due: _Due) -> Iterator[tuple[str, ...]]:
        """Before each hole, those that it or what comes after still asks for."""
        last = dict.fromkeys(self._place, -1)
        for place, hole in enumerate(self._holes):
            for name, _ in hole.when:
                last[name] = place
        for constraint, when in due:
            for name in constraint.needs():
                last[name] = max(last[name], when)
        for place in range(len(self._holes) + 1):
            yield tuple(name for name, at in self._place.items() if at < place <= last[name])

    def _still_counted(self, due: _Due) -> Iterator[tuple[str, ...]]:
        """Before each hole, the subsets of which the items so far are counted."""
        last: dict[str, int] = {}
        for constraint, when in due:
            for group in constraint.counts():
                last[group] = max(last.get(group, -1), when)
        first = {name: min(self._place[hole] for hole in self._groups[name].holes) for name in last}
        for place in range(len(self._holes) + 1):
            yield tuple(name for name in last if first[name] < place <= last[name])

    def _forward(self) -> None:
        keys: dict[_Key, None] = {((), ()): None}
        taken = 0
        for place in range(len(self._holes)):
            made: dict[_Key, list[_Step]] = {}
            reached: dict[_Key, None] = {}
            for key in keys:
                steps = []
                for step in self._from(place, key):
                    steps.append(step)
                    reached[step.key] = None
                    taken += 1
                    if taken > MOST_WORK:
                        raise TooMany
                made[key] = steps
            self._steps.append(made)
            keys = reached

    def _from(self, place: int, key: _Key) -> Iterator[_Step]:
        """What can be chosen for a hole, and what is known after it."""
        hole = self._holes[place]
        chosen = {
            name: value
            for name, value in zip(self._live[place], key[0], strict=True)
            if value is not None
        }
        sums = dict(zip(self._summed[place], key[1], strict=True))
        if not hole.exists(chosen):
            yield from self._checked_step(place, None, 1, chosen, sums)
        elif self._matter[place]:
            for value in range(hole.count or 1):
                yield from self._checked_step(place, value, 1, chosen, sums)
        else:
            yield from self._checked_step(place, 0, hole.count or 1, chosen, sums)

    def _matters(self, place: int) -> bool:
        """Whether anything asks which value a hole has."""
        hole = self._holes[place]
        if hole.count is None:
            return False
        asked = any(hole.name in constraint.needs() for constraint in self._checked[place])
        return asked or hole.name in self._live[place + 1] or hole.name in self._in_group

    def _checked_step(
        self,
        place: int,
        value: int | None,
        size: int,
        chosen: Mapping[str, int],
        sums: Mapping[str, int],
    ) -> Iterator[_Step]:
        hole = self._holes[place]
        now, counted = dict(chosen), dict(sums)
        if value is not None:
            now[hole.name] = hole.nth(value) if hole.count is not None else 0
        if group := self._in_group.get(hole.name):
            counted[group] = counted.get(group, 0) + (value or 0)
        if not any(constraint.broken(now, counted) for constraint in self._checked[place]):
            live = tuple(now.get(name) for name in self._live[place + 1])
            summed = tuple(counted.get(name, 0) for name in self._summed[place + 1])
            yield _Step(value, size, (live, summed))

    def _after(self, place: int, key: _Key) -> int:
        """The number of ways to go on after a hole."""
        return self._counts[place + 1][key] if place + 1 < len(self._holes) else 1

    def _backward(self) -> None:
        for place in reversed(range(len(self._holes))):
            for key, steps in self._steps[place].items():
                self._counts[place][key] = sum(
                    step.size * self._after(place, step.key) for step in steps
                )
