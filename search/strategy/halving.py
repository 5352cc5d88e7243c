"""Successive halving over structures: many points, and the neighbours of the better half.

The engine's race asks every new point few questions first, and only those that hold out more of
them; this decides which points: a round of random ones, then a round half as large around those of
the better half, and so on until one is left, and then again. (After Jamieson and Talwalkar, 2016.)
"""

from __future__ import annotations

from ...compiler.space import Choice
from ..history import History
from ..trial import Trial
from .base import Setting, Strategy, neighbours

__all__ = ["Halving"]


class Halving(Strategy):
    """Rounds of `width` points, then half as many around the better ones of the round."""

    def __init__(self, setting: Setting, width: int = 16) -> None:
        super().__init__(setting)
        self._width = width
        self._left = width
        self._size = width
        self._round: list[Trial] = []
        self._parents: list[Choice] = []

    async def ask(self, history: History) -> Choice | None:
        """A point of the round."""
        if self.space.first not in history:
            return self.space.first
        if self._left == 0:
            self._halve(history)
        self._left -= 1
        for parent in self.rng.sample(self._parents, len(self._parents)):
            near = [n for n in neighbours(self.space, parent, self.rng) if n not in history]
            if near:
                return self.rng.choice(near)
        return self.unseen(history)

    def tell(self, trial: Trial) -> None:
        """Note a point of the round."""
        self._round.append(trial)

    def _halve(self, history: History) -> None:
        better = [t.choice for t in history.ranked() if any(t.key == r.key for r in self._round)]
        self._size //= 2
        if self._size < 2:
            self._size, better = self._width, []
        self._parents = better[: max(1, len(better) // 2)]
        self._left, self._round = self._size, []
