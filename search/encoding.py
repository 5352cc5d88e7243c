"""Choices as vectors: an indicator for each option, and each range between 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..compiler.space import Choice, Hole

__all__ = ["Encoding", "Matrix"]

Matrix = NDArray[np.float64]


class Encoding:
    """A place in the vector for each option of each hole; nought where a hole does not exist."""

    def __init__(self, holes: Sequence[Hole]) -> None:
        self._holes = tuple(holes)
        self._starts: list[int] = []
        width = 0
        for hole in holes:
            self._starts.append(width)
            width += len(hole.options) or 2
        self.width = width

    def __call__(self, choices: Sequence[Choice]) -> Matrix:
        """A row for each choice."""
        made = np.zeros((len(choices), self.width))
        for row, choice in zip(made, choices, strict=True):
            for hole, start in zip(self._holes, self._starts, strict=True):
                chosen = choice.get(hole.name)
                if chosen is None:
                    continue
                if hole.options:
                    row[start + int(chosen)] = 1.0
                else:
                    row[start] = 1.0
                    row[start + 1] = _share(hole, chosen)
        return made


def _share(hole: Hole, chosen: float) -> float:
    """Where in its range a number is, from 0 to 1."""
    low, high = float(hole.low or 0), float(hole.high or 0)
    if hole.log:
        low, high, chosen = math.log(low), math.log(high), math.log(chosen)
    return (chosen - low) / (high - low) if high > low else 0.0
