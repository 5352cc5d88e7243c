"""Archon's Bayesian search: a Gaussian process, and the point of the largest expected improvement.

As in the paper it knows neither what points cost nor how sure a measurement is. (Saad-Falcon et
al., 2024)
"""

from __future__ import annotations

import numpy as np

from ...compiler.space import Choice
from ..encoding import Encoding
from ..gaussian import Gaussian, improvement
from ..history import History
from .base import Setting, Strategy

__all__ = ["Gp"]

_CANDIDATES = 200


class Gp(Strategy):
    """Plain Bayesian optimisation; the first `initial` points are drawn at random."""

    def __init__(self, setting: Setting, initial: int = 10) -> None:
        super().__init__(setting)
        self._initial = initial
        self._encoding = Encoding(setting.space.holes)

    async def ask(self, history: History) -> Choice | None:
        """The point of which most is expected."""
        asked = history.asked
        if len(asked) < self._initial:
            return self.unseen(history)
        drawn = (self.unseen(history) for _ in range(_CANDIDATES))
        choices = [choice for choice in drawn if choice is not None]
        if not choices:
            return None
        values = np.asarray([history.mean(trial, self.aims[0]) for trial in asked])
        model = Gaussian(
            self._encoding([trial.choice for trial in asked]),
            values,
            np.full(len(asked), 1e-4),
        )
        mean, deviation = model(self._encoding(choices))
        return choices[int(improvement(mean, deviation, float(values.max())).argmax())]
