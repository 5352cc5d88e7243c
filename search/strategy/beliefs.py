"""Beliefs about a space: for each hole, how probable each of its parts is, by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random

from ...compiler.space import Choice, Hole
from .base import Searched

__all__ = ["Beliefs", "parts"]

_PARTS = 8
"""Into so many parts a range is cut."""


class Beliefs:
    """Probabilities that a point is drawn from, hole by hole. Kept as logarithms."""

    def __init__(self, space: Searched) -> None:
        self._space = space
        self._weights = {hole.name: [0.0] * len(parts(hole)) for hole in space.holes}

    def shares(self, hole: str) -> list[float]:
        """How probable each part of a hole is."""
        weights = self._weights[hole]
        most = max(weights)
        raised = [math.exp(weight - most) for weight in weights]
        return [value / sum(raised) for value in raised]

    def draw(self, rng: Random) -> Choice:
        """A point; it may be one that the constraints forbid."""
        made: dict[str, int | float] = {}
        for hole in self._space.holes:
            if hole.exists(made):
                shares = self.shares(hole.name)
                (place,) = rng.choices(range(len(shares)), shares)
                made[hole.name] = _within(hole, place, rng)
        return made

    def reward(self, choice: Choice, step: float) -> None:
        """Move the beliefs towards a point, or away from it, along the gradient of the logarithm of
        its probability. (REINFORCE; Williams, 1992)"""
        for hole in self._space.holes:
            if hole.name in choice:
                weights, shares = self._weights[hole.name], self.shares(hole.name)
                chosen = _place(hole, choice[hole.name])
                for place, share in enumerate(shares):
                    weights[place] += step * ((place == chosen) - share)

    def blend(self, told: Mapping[str, Sequence[float]], rate: float, least: float) -> None:
        """Move the beliefs by a share `rate` towards other ones. No part becomes less probable than
        `least` of what it would be if all were alike."""
        for name, wanted in told.items():
            total = sum(wanted)
            mixed = [
                (1 - rate) * own + rate * other / total
                for own, other in zip(self.shares(name), wanted, strict=True)
            ]
            floor = least / len(mixed)
            self._weights[name] = [math.log(max(floor, share)) for share in mixed]


def parts(hole: Hole) -> list[str]:
    """What is believed of a hole one by one: its options, or its numbers, or parts of its range."""
    if hole.options:
        return [hole.told(place) for place in range(len(hole.options))]
    if hole.count is not None and hole.count <= _PARTS:
        return [str(hole.nth(place)) for place in range(hole.count)]
    edges = [_edge(hole, place) for place in range(_PARTS + 1)]
    return [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]


def _edge(hole: Hole, place: float) -> float:
    low, high = float(hole.low or 0), float(hole.high or 0)
    if hole.log:
        return float(low * (high / low) ** (place / _PARTS))
    return low + (high - low) * place / _PARTS


def _within(hole: Hole, place: int, rng: Random) -> int | float:
    if hole.options:
        return place
    if hole.count is not None and hole.count <= _PARTS:
        return hole.nth(place)
    value = _edge(hole, place + rng.random())
    return round(value) if hole.count is not None else min(value, float(hole.high or 0))


def _place(hole: Hole, chosen: float) -> int:
    if hole.options:
        return int(chosen)
    if hole.count is not None and hole.count <= _PARTS:
        return int(chosen - float(hole.low or 0))
    return next((p for p in range(_PARTS - 1) if chosen < _edge(hole, p + 1)), _PARTS - 1)
