"""The settings of an engine as a space: options of a model, and variables of its environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from random import Random
from typing import Any

from ...compiler.errors import InputError
from ...compiler.space import Choice, Hole
from ...compiler.values import Json

__all__ = ["ENVIRONMENT", "Settings"]

ENVIRONMENT = "env."
"""Before the name of a variable."""


class Settings:
    """Every value of one setting with every value of the others; the first of each are the first
    point. What a strategy may know of a space."""

    def __init__(self, values: Mapping[str, Sequence[Json]]) -> None:
        """Raises `InputError` where there is nothing to choose among."""
        for name, options in values.items():
            if not options:
                raise InputError(f"setting {name}: no values to try")
        if not values:
            raise InputError("no settings to try: name some with --try OPTION=VALUE,VALUE,…")
        self.holes = tuple(Hole(name, tuple(options)) for name, options in values.items())

    @property
    def first(self) -> Choice:
        """The first value of each."""
        return {hole.name: 0 for hole in self.holes}

    @property
    def size(self) -> int:
        """How many there are."""
        return prod(len(hole.options) for hole in self.holes)

    def valid(self, choice: Choice) -> str:
        """What is wrong with a choice; "" for nothing."""
        if set(choice) != {hole.name for hole in self.holes}:
            return "other settings"
        return next((told for h in self.holes if (told := h.wrong(choice[h.name]))), "")

    def random(self, rng: Random) -> Choice:
        """One at random."""
        return {hole.name: rng.randrange(len(hole.options)) for hole in self.holes}

    def points(self) -> Iterator[Choice]:
        """All in order."""
        for told in product(*(range(len(hole.options)) for hole in self.holes)):
            yield dict(zip((hole.name for hole in self.holes), told, strict=True))

    def values(self, choice: Choice) -> Mapping[str, Json]:
        """What is set, by name."""
        return {hole.name: hole.value(choice[hole.name]) for hole in self.holes}

    def options(self, choice: Choice) -> dict[str, Any]:
        """The options of the model: what has dots in its name stands inside."""
        made: dict[str, Any] = {}
        for name, value in self.values(choice).items():
            if not name.startswith(ENVIRONMENT):
                *outer, last = name.split(".")
                inside = made
                for part in outer:
                    inside = inside.setdefault(part, {})
                inside[last] = value
        return made

    def environment(self, choice: Choice) -> dict[str, str]:
        """The variables of the environment."""
        return {
            name.removeprefix(ENVIRONMENT): str(value)
            for name, value in self.values(choice).items()
            if name.startswith(ENVIRONMENT)
        }
