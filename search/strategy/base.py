"""What a strategy is: it is asked for the next point, and told how points did."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from ...compiler.space import Choice, Hole
from ..aim import Aim
from ..history import History
from ..lineage import Lineage
from ..trial import Trial

__all__ = ["Bank", "Searched", "Setting", "Strategy", "neighbours", "without"]


class Searched(Protocol):
    """What a strategy may know of a space; `compiler.space.Space` is one."""

    @property
    def holes(self) -> tuple[Hole, ...]:
        """What is open."""

    @property
    def first(self) -> Choice:
        """The point that the space itself puts first."""

    @property
    def size(self) -> int | None:
        """How many points there are, if that can be counted."""

    def valid(self, choice: Choice) -> str:
        """What is wrong with a choice; "" for nothing."""

    def random(self, rng: Random) -> Choice:
        """A point at random."""

    def points(self) -> Iterator[Choice]:
        """All points in a fixed order."""


class Bank(Protocol):
    """What a strategy may know of the draws that were paid for; the engine is one."""

    def lineage(self, choice: Choice) -> Lineage | None:
        """Where the draws of a point come from. The pipeline is compiled for it, which takes a
        while; None where it cannot run."""

    def held(self, origin: str) -> float:
        """How many draws of an origin the bank holds of a question, on average over those that
        points are asked at present."""


@dataclass(frozen=True)
class Setting:
    """What every strategy works with."""

    space: Searched
    aims: tuple[Aim, ...]
    rng: Random
    bank: Bank


class Strategy:
    """Decides what to try next."""

    def __init__(self, setting: Setting) -> None:
        self.space = setting.space
        self.aims = setting.aims
        self.rng = setting.rng
        self.bank = setting.bank

    @abstractmethod
    async def ask(self, history: History) -> Choice | None:
        """The next point; None if the strategy has no more. It may be one that was tried before, or
        none of the space: then it is asked again."""

    def tell(self, trial: Trial) -> None:
        """How a point did, whoever proposed it. Strategies that read the history need not know."""

    def unseen(self, history: History, tries: int = 64) -> Choice | None:
        """A point at random that was not tried, if one is found."""
        for _ in range(tries):
            choice = self.space.random(self.rng)
            if choice not in history:
                return choice
        return None


def neighbours(space: Searched, choice: Choice, rng: Random) -> Iterator[Choice]:
    """The points that differ in one hole, in what comes and goes with it, and in one more hole
    where the space allows them only so; of a continuous range two at random."""
    for hole in space.holes:
        if hole.name in choice:
            for value in _others(hole, choice[hole.name], rng):
                made = _completed(space, {**choice, hole.name: value}, rng)
                allowed = _allowed(space, made, hole, rng) if space.valid(made) else made
                if allowed is not None:
                    yield allowed


def _allowed(space: Searched, choice: Choice, kept: Hole, rng: Random) -> Choice | None:
    """A point that differs in one hole from a choice that is none, if there is one."""
    for hole in rng.sample(space.holes, len(space.holes)):
        if hole.name in choice and hole.name != kept.name:
            for value in _others(hole, choice[hole.name], rng):
                made = _completed(space, {**choice, hole.name: value}, rng)
                if not space.valid(made):
                    return made
    return None


def without(space: Searched, choice: Choice, hole: Hole, value: float, rng: Random) -> Choice:
    """A choice with another value in one hole, whatever comes with it filled in."""
    return _completed(space, {**choice, hole.name: value}, rng)


def _others(hole: Hole, chosen: float, rng: Random) -> Sequence[float]:
    count = hole.count
    if count is None:
        low, high = float(hole.low or 0), float(hole.high or 0)
        step = (high - low) / 5
        return [min(high, max(low, chosen + rng.gauss(0, step))) for _ in range(2)]
    if hole.options or count <= 8:
        return [hole.nth(place) for place in range(count) if hole.nth(place) != chosen]
    return sorted({hole.nth(rng.randrange(count)) for _ in range(4)} - {chosen})


def _completed(space: Searched, choice: Choice, rng: Random) -> Choice:
    """The choice with the holes that exist now, and without those that do not any more."""
    made: dict[str, int | float] = {}
    for hole in space.holes:
        if not hole.exists(made):
            continue
        if hole.name in choice:
            made[hole.name] = choice[hole.name]
        elif hole.count is not None:
            made[hole.name] = hole.nth(rng.randrange(hole.count))
        else:
            made[hole.name] = rng.uniform(float(hole.low or 0), float(hole.high or 0))
    return made
