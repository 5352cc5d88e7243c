"""Choices as vectors: an indicator for each option, and each range between 0 and 1.

Options that are numbers are told by how many of them are smaller, so that neighbours are alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..compiler.space import Choice, Hole

__all__ = ["Encoding", "Matrix"]

Matrix = NDArray[np.float64]


class Encoding:
    """Places in the vector for each hole; nought where a hole does not exist."""

    def __init__(self, holes: Sequence[Hole]) -> None:
        self._holes = tuple(holes)
        self._codes = [_codes(hole) for hole in holes]
        self.width = sum(2 if codes is None else codes.shape[1] for codes in self._codes)

    def __call__(self, choices: Sequence[Choice]) -> Matrix:
        """A row for each choice."""
        made = np.zeros((len(choices), self.width))
        start = 0
        for hole, codes in zip(self._holes, self._codes, strict=True):
            chosen = [choice.get(hole.name) for choice in choices]
            if codes is None:
                for row, number in zip(made, chosen, strict=True):
                    if number is not None:
                        row[start : start + 2] = 1.0, _share(hole, number)
                start += 2
            else:
                places = [-1 if number is None else int(number) for number in chosen]
                made[:, start : start + codes.shape[1]] = codes[places]
                start += codes.shape[1]
        return made


def _codes(hole: Hole) -> Matrix | None:
    """A row for each option, and a last one of noughts for none; None for a range."""
    count = len(hole.options)
    if not count:
        return None
    made = np.zeros((count + 1, count))
    order = _order(hole)
    if not order:
        made[:count] = np.eye(count)
        return made
    for smaller, option in enumerate(order):
        made[option, 0] = 1.0
        # Both ends are as far apart as two options that are no numbers.
        made[option, 1 : 1 + smaller] = math.sqrt(2 / (count - 1))
    return made


def _order(hole: Hole) -> tuple[int, ...]:
    """The options from the smallest up where there are three different numbers or more."""
    values = [
        float(option)
        for option in hole.options
        if isinstance(option, int | float) and not isinstance(option, bool)
    ]
    if len(values) < len(hole.options) or len(set(values)) < max(3, len(values)):
        return ()
    return tuple(sorted(range(len(values)), key=values.__getitem__))


def _share(hole: Hole, chosen: float) -> float:
    """Where in its range a number is, from 0 to 1."""
    low, high = float(hole.low or 0), float(hole.high or 0)
    if hole.log:
        low, high, chosen = math.log(low), math.log(high), math.log(chosen)
    return (chosen - low) / (high - low) if high > low else 0.0
