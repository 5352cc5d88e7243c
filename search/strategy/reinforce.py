"""Beliefs about each hole of its own, moved towards what was rewarded.

The next point is drawn hole by hole; a policy gradient moves the beliefs. What holes do together it
cannot learn. (Automated Concatenation of Embeddings, Wang et al., 2021: rewards are compared with
those of earlier points, the more alike the more they count.)
"""

from __future__ import annotations

import math

from ...compiler.space import Choice, Hole
from ..history import History
from ..trial import Trial
from .base import Setting, Strategy

__all__ = ["Reinforce"]

_PARTS = 8
"""Into so many parts a range is cut."""
_MEMORY = 32


class Reinforce(Strategy):
    """A categorical belief for each hole. `rate` is how far one reward moves it, `discount` how
    much less an earlier point counts for each hole in which it differs."""

    def __init__(self, setting: Setting, rate: float = 2.0, discount: float = 0.6) -> None:
        super().__init__(setting)
        self._rate = rate
        self._discount = discount
        self._beliefs = {hole.name: [0.0] * _parts(hole) for hole in setting.space.holes}
        self._earlier: list[tuple[Choice, float]] = []

    async def ask(self, history: History) -> Choice | None:
        """A point drawn from the beliefs; the first one is the space's own."""
        if self.space.first not in history:
            return self.space.first
        made: dict[str, int | float] = {}
        for hole in self.space.holes:
            if hole.exists(made):
                shares = _softmax(self._beliefs[hole.name])
                (part,) = self.rng.choices(range(len(shares)), shares)
                made[hole.name] = self._within(hole, part)
        return made

    def tell(self, trial: Trial) -> None:
        """Move the beliefs by how much better the point did than those like it."""
        if not trial.asked:
            return
        reward = trial.value(self.aims[0])
        told = [
            (reward - r) * self._discount ** _distance(trial.choice, c) for c, r in self._earlier
        ]
        gain = sum(told) / len(told) if told else 0.0
        for hole in self.space.holes:
            if hole.name in trial.choice:
                beliefs = self._beliefs[hole.name]
                shares, chosen = _softmax(beliefs), _part(hole, trial.choice[hole.name])
                for part, share in enumerate(shares):
                    beliefs[part] += self._rate * gain * ((part == chosen) - share)
        self._earlier = [*self._earlier[-_MEMORY:], (trial.choice, reward)]

    def _within(self, hole: Hole, part: int) -> int | float:
        count = hole.count
        if hole.options:
            return part
        low, high = float(hole.low or 0), float(hole.high or 0)
        if count is not None and count <= _PARTS:
            return hole.nth(part)
        value = low + (high - low) * (part + self.rng.random()) / _PARTS
        return round(value) if count is not None else value


def _parts(hole: Hole) -> int:
    return (
        hole.count if hole.count is not None and (hole.options or hole.count <= _PARTS) else _PARTS
    )


def _part(hole: Hole, chosen: float) -> int:
    if hole.options:
        return int(chosen)
    low, high = float(hole.low or 0), float(hole.high or 0)
    if hole.count is not None and hole.count <= _PARTS:
        return int(chosen - low)
    return min(_PARTS - 1, int(_PARTS * (chosen - low) / (high - low)))


def _distance(one: Choice, other: Choice) -> int:
    return sum(one.get(name) != other.get(name) for name in {*one, *other})


def _softmax(values: list[float]) -> list[float]:
    most = max(values)
    raised = [math.exp(value - most) for value in values]
    return [value / sum(raised) for value in raised]
