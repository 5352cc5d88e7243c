"""The search's own strategy: the most expected improvement for what is not in the bank yet.

What trials tell of all points is the history's belief. A point is worth its own expected
improvement, and that of the points which its draws would make free; it is held against what the
bank does not hold of it, so that points which cost nothing are tried as soon as they promise
anything. With several objectives, each turn weighs them anew at random (ParEGO; Knowles, 2006).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from ...compiler.space import Choice
from ..encoding import Encoding, Matrix
from ..gaussian import Gaussian, improvement
from ..history import History
from ..pool import Pool
from ..trial import Trial, key_of
from .base import Setting, Strategy, neighbours

__all__ = ["Frugal"]

_DRAWN = 160
"""So many points drawn at random are looked at, an eighth of them new each time."""
_AROUND = 4
"""So many of the best have their neighbours looked at."""
_LOOKED = 2
"""So many points have their pipelines looked at each time, for that compiles them."""
_FREE = 0.2
"""What it takes to try a point that costs nothing, as a share of what one costs on average."""


class Frugal(Strategy):
    """Expected improvement for a call. `initial` points come first: the space's own, then random
    ones; every `wild`-th later one is random as well, so that no model can lead it astray."""

    def __init__(self, setting: Setting, initial: int = 8, wild: int = 8) -> None:
        super().__init__(setting)
        self._initial = initial
        self._wild = wild
        self._encoding = Encoding(setting.space.holes)
        self._pool = Pool(setting.bank.lineage)
        self._drawn: deque[tuple[str, Choice]] = deque(maxlen=_DRAWN)
        self._near: dict[str, dict[str, Choice]] = {}

    async def ask(self, history: History) -> Choice | None:
        """The next point."""
        if self.space.first not in history:
            return self.space.first
        asked = history.asked
        if len(asked) < self._initial or len(asked) % self._wild == 0:
            return self.unseen(history)
        found = self._candidates(history)
        if not found:
            return None
        choices = list(found.values())
        hopes = self._hopes(history, asked, choices)
        told = dict(zip(found, hopes.tolist(), strict=True))
        fresh = (at for at in np.argsort(-hopes) if self._pool.lacks(choices[int(at)]))
        for at, _ in zip(fresh, range(_LOOKED), strict=False):
            self._pool.add(choices[int(at)])
        self._pool.keep(told)
        return self._worthiest(told) or choices[int(hopes.argmax())]

    def _candidates(self, history: History) -> dict[str, Choice]:
        for _ in range(_DRAWN // 8):
            drawn = self.space.random(self.rng)
            self._drawn.append((key_of(drawn), drawn))
        found = {**self._pool.points(), **dict(self._drawn)}
        for trial in history.ranked()[:_AROUND]:
            if trial.key not in self._near:
                near = neighbours(self.space, trial.choice, self.rng)
                self._near[trial.key] = {key_of(choice): choice for choice in near}
            found |= self._near[trial.key]
        return {key: choice for key, choice in found.items() if not history.knows(key)}

    def _worthiest(self, hopes: dict[str, float]) -> Choice | None:
        """Of the points looked at, the one that promises most for a call, of itself and of others
        that its draws would make free."""
        found = self._pool.points()
        if not found:
            return None
        prices, after = self._pool.prices(self.bank.held)
        own = np.asarray([hopes[key] for key in found])
        opened = (after <= 1e-9) & (prices > 1e-9)
        np.fill_diagonal(opened, val=True)
        usual = float(prices.mean()) or 1.0
        return list(found.values())[int(((opened @ own) / (prices + _FREE * usual)).argmax())]

    def _hopes(self, history: History, asked: Sequence[Trial], choices: Sequence[Choice]) -> Matrix:
        """The expected improvement of points, less where such points cost more than they may."""
        allowed = [t for t in asked if t.state != "costly"] or asked
        belief = history.belief(self.aims[0]) if len(self.aims) == 1 else None
        if belief is None:
            model = self._weighed(history, asked)
            mean, deviation = model(self._encoding(choices))
            known = float(model(self._encoding([t.choice for t in allowed]))[0].max())
        else:
            mean, deviation = belief(choices)
            known = max(belief.expected[trial.key] for trial in allowed)
        hopes = improvement(mean, deviation, known)
        if len(allowed) < len(asked):
            costly = np.asarray([float(trial.state == "costly") for trial in asked])
            rows = self._encoding([trial.choice for trial in asked])
            share, _ = Gaussian(rows, costly, np.full(len(asked), 0.01))(self._encoding(choices))
            hopes = hopes * np.clip(1 - share, 0.02, 1.0)
        return hopes

    def _weighed(self, history: History, asked: Sequence[Trial]) -> Gaussian:
        """A model of all objectives at once, weighed at random."""
        columns, noises = [], []
        for aim in self.aims:
            effects = [history.effects(aim)[trial.key] for trial in asked]
            values = np.asarray([effect.value for effect in effects])
            spread = max(1e-9, float(values.std())) if len(self.aims) > 1 else 1.0
            columns.append(values / spread)
            noises.append(np.asarray([effect.variance for effect in effects]) / spread**2)
        rows = self._encoding([trial.choice for trial in asked])
        if len(columns) == 1:
            return Gaussian(rows, columns[0], noises[0])
        weights = np.asarray([self.rng.expovariate(1.0) for _ in columns])
        weights /= weights.sum()
        lost = np.stack([w * (c.max() - c) for w, c in zip(weights, columns, strict=True)])
        values = -(lost.max(axis=0) + 0.05 * lost.sum(axis=0))
        noise = sum((w * w * n for w, n in zip(weights, noises, strict=True)), np.zeros(len(asked)))
        return Gaussian(rows, values, noise)
