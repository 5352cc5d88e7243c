"""The search's own strategy: the most expected improvement for what is not in the bank yet.

A Gaussian process knows how sure each measurement is, since trials that lost their race were asked
few questions. Of the most promising points, drawn at random and around the best, the one is tried
that promises most for its price, and a point whose draws are all there costs next to nothing. With
several objectives, each turn weighs them anew at random (ParEGO; Knowles, 2006).
"""

from __future__ import annotations

import numpy as np

from ...compiler.space import Choice
from ..encoding import Encoding, Matrix
from ..gaussian import Gaussian, improvement
from ..history import History
from ..trial import Trial, key_of
from .base import Setting, Strategy, neighbours

__all__ = ["Frugal"]

_DRAWN = 150
_AROUND = 4
"""So many of the best have their neighbours looked at."""
_PRICED = 4
"""So many points are priced, for pricing compiles them."""


class Frugal(Strategy):
    """Expected improvement for a call. `initial` points come first: the space's own, then random
    ones; every `wild`-th later one is random as well, so that no model can lead it astray."""

    def __init__(self, setting: Setting, initial: int = 8, wild: int = 8) -> None:
        super().__init__(setting)
        self._initial = initial
        self._wild = wild
        self._encoding = Encoding(setting.space.holes)

    async def ask(self, history: History) -> Choice | None:
        """The next point."""
        if self.space.first not in history:
            return self.space.first
        asked = history.asked
        if len(asked) < self._initial or len(asked) % self._wild == 0:
            return self.unseen(history)
        choices = self._candidates(history)
        if not choices:
            return None
        values, noise = self._values(history, asked)
        model = Gaussian(self._encoding([trial.choice for trial in asked]), values, noise)
        allowed = [trial.choice for trial in asked if trial.state != "costly"]
        known, _ = model(self._encoding(allowed or [trial.choice for trial in asked]))
        mean, deviation = model(self._encoding(choices))
        hopes = improvement(mean, deviation, float(known.max()))
        return self._cheapest(choices, hopes)

    def _candidates(self, history: History) -> list[Choice]:
        found: dict[str, Choice] = {}
        for trial in history.ranked()[:_AROUND]:
            for near in neighbours(self.space, trial.choice, self.rng):
                found[key_of(near)] = near
        for _ in range(_DRAWN):
            drawn = self.space.random(self.rng)
            found[key_of(drawn)] = drawn
        return [choice for choice in found.values() if choice not in history]

    def _cheapest(self, choices: list[Choice], hopes: Matrix) -> Choice:
        """Of the most promising, the one that promises most for a call."""
        best = [int(place) for place in np.argsort(-hopes)[:_PRICED]]
        prices = {place: self.price(choices[place]) for place in best}
        finite = [price for price in prices.values() if price < float("inf")]
        usual = sum(finite) / len(finite) if finite else 1.0
        # A fifth of what is usual is added, lest a hopeless point be tried because it is free.
        return choices[max(best, key=lambda at: hopes[at] / (prices[at] + usual / 5 + 1e-9))]

    def _values(self, history: History, asked: list[Trial]) -> tuple[Matrix, Matrix]:
        """What was measured of each trial, objectives weighed, and the variance of it."""
        columns, noises = [], []
        for aim in self.aims:
            effects = [history.effects(aim)[trial.key] for trial in asked]
            values = np.asarray([effect.value for effect in effects])
            # What costs too much is as good as the worst.
            costly = [trial.state == "costly" for trial in asked]
            values = np.where(costly, values.min(), values)
            spread = max(1e-9, float(values.std())) if len(self.aims) > 1 else 1.0
            columns.append(values / spread)
            noises.append(np.asarray([effect.variance for effect in effects]) / spread**2)
        if len(columns) == 1:
            return columns[0], noises[0]
        weights = np.asarray([self.rng.expovariate(1.0) for _ in columns])
        weights /= weights.sum()
        lost = np.stack([w * (c.max() - c) for w, c in zip(weights, columns, strict=True)])
        values = -(lost.max(axis=0) + 0.05 * lost.sum(axis=0))
        return values, sum(
            (w * w * n for w, n in zip(weights, noises, strict=True)), np.zeros(len(asked))
        )
