"""A search space: a pipeline with holes, and what may be chosen for them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from random import Random

from ..errors import InputError
from ..source import Document
from .close import Closed, chosen, closed
from .constraint import Constraint, sums
from .count import Counting, TooMany
from .hole import Choice, Hole
from .parts import Part
from .read import Group
from .search import SearchSpec
from .text import yaml_text

__all__ = ["Space"]

_TRIES = 10_000
"""Draws after which no valid point is expected any more."""


@dataclass(frozen=True)
class Space:
    """A pipeline with holes. A point of it is a choice for every hole that exists under it."""

    name: str
    about: str
    holes: tuple[Hole, ...]
    """In the order of the file, outer ones before those inside."""
    search: SearchSpec | None
    """What the file says of its search."""
    constraints: tuple[Constraint, ...] = field(repr=False)
    shorts: Mapping[str, str] = field(repr=False)
    """By the name of a hole, the shortest by which conditions may name it."""
    _groups: tuple[Group, ...] = field(repr=False)
    _document: Document = field(repr=False)
    _part: Part = field(repr=False)
    _folder: Path = field(repr=False)

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of what is open and what is not; how it is to be searched is not in it."""
        plain = self._document.plain()
        assert isinstance(plain, dict)
        told = {key: value for key, value in plain.items() if key not in ("about", "search")}
        return sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()

    @property
    def text(self) -> str:
        """The open file, written anew: without comments, and with no `search:`."""
        plain = self._document.plain()
        assert isinstance(plain, dict)
        return yaml_text({key: value for key, value in plain.items() if key != "search"})

    @property
    def folder(self) -> Path:
        """Where files that it names are."""
        return self._folder

    @property
    def size(self) -> int | None:
        """How many points satisfy the constraints; None where a range is continuous, or where the
        constraints tie together too much to be counted."""
        return None if self._ranges or self._counting is None else self._counting.total

    @property
    def first(self) -> Choice:
        """The first point: the first option of every hole, or the first points after that which the
        constraints allow. Raises as `points` does where ranges are continuous and constrained."""
        if self._counting is None or self._counting.total == 0:
            return next(self.points())
        choice = {**self._counting.nth(0)}
        return self._whole(choice, lambda hole: float(hole.low or 0))

    def active(self, choice: Choice) -> tuple[Hole, ...]:
        """The holes that exist under what is chosen so far."""
        return tuple(hole for hole in self.holes if hole.exists(choice))

    def valid(self, choice: Choice) -> str:
        """What is wrong with a choice, in words; "" if it is a point of the space."""
        known = {hole.name: hole for hole in self.holes}
        for name in choice:
            if name not in known:
                return f"no hole {name!r}"
        for hole in self.holes:
            if not hole.exists(choice):
                if hole.name in choice:
                    return f"{self.shorts[hole.name]} does not exist under this choice"
                continue
            if hole.name not in choice:
                return f"nothing is chosen for {self.shorts[hole.name]}"
            if wrong := hole.wrong(choice[hole.name]):
                return f"{self.shorts[hole.name]}: {wrong}"
        return self._broken(choice)

    def close(self, choice: Choice) -> Closed:
        """The pipeline of a point. Equal choices give equal texts.

        Raises `InputError` for a choice that is no point, and `SpecError` for a point that does not
        compile, with faults at their places in the open file.
        """
        if wrong := self.valid(choice):
            raise InputError(wrong)
        made = {h.name: h.settled(choice[h.name]) for h in self.holes if h.name in choice}
        return closed(self._document, self._part, self._folder, self.told(made), made)

    def told(self, choice: Choice) -> Sequence[tuple[str, str]]:
        """A choice in words: short names, and what was chosen."""
        return chosen(self.holes, self.shorts, choice)

    def random(self, rng: Random) -> Choice:
        """A point drawn at random, uniformly from all where they can be counted; numbers of
        continuous ranges uniformly, with `log` by their ratios.

        Raises `InputError` where none is found that the constraints allow.
        """
        for _ in range(_TRIES):
            choice = self._drawn(rng)
            if choice is not None and not self._broken(choice):
                return choice
        raise InputError(f"{self.name}: no point in {_TRIES:,} drawn satisfies `where:`")

    def points(self) -> Iterator[Choice]:
        """All points in a fixed order, that of the options in the file.

        Raises `InputError` where they are infinitely many, or cannot be counted.
        """
        if self._ranges:
            told = ", ".join(self.shorts[hole.name] for hole in self._ranges)
            raise InputError(f"{self.name} has infinitely many points: {told} is continuous")
        if self._counting is None:
            raise InputError(f"the constraints of {self.name} tie together too much to go through")
        return map(self._counting.nth, range(self._counting.total))

    @cached_property
    def _ranges(self) -> tuple[Hole, ...]:
        return tuple(hole for hole in self.holes if hole.count is None)

    @cached_property
    def _counting(self) -> Counting | None:
        loose = {hole.name for hole in self._ranges}
        counted = [c for c in self.constraints if not loose & c.needs()]
        try:
            return Counting(self.holes, self._groups, counted)
        except TooMany:
            return None

    def _broken(self, choice: Choice) -> str:
        counted = sums(self._groups, choice)
        return next((str(c) for c in self.constraints if c.broken(choice, counted)), "")

    def _drawn(self, rng: Random) -> Choice | None:
        if self._counting is None:
            return self._loosely(rng)
        if self._counting.total == 0:
            return None
        choice = self._counting.nth(rng.randrange(self._counting.total))
        return self._whole(choice, lambda hole: _between(hole, rng))

    def _whole(self, choice: Mapping[str, int], number: object) -> Choice:
        """A counted choice with the numbers of continuous ranges, in the order of the holes."""
        assert callable(number)
        made: dict[str, int | float] = {}
        for hole in self.holes:
            if hole.name in choice:
                made[hole.name] = choice[hole.name]
            elif hole.count is None and hole.exists(made):
                made[hole.name] = number(hole)
        return made

    def _loosely(self, rng: Random) -> Choice:
        """A choice made hole by hole."""
        made: dict[str, int | float] = {}
        for hole in self.holes:
            if hole.exists(made):
                count = hole.count
                made[hole.name] = (
                    _between(hole, rng) if count is None else hole.nth(rng.randrange(count))
                )
        return made


def _between(hole: Hole, rng: Random) -> float:
    low, high = float(hole.low or 0), float(hole.high or 0)
    if hole.log:
        return min(high, max(low, math.exp(rng.uniform(math.log(low), math.log(high)))))
    return rng.uniform(low, high)
