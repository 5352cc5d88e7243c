"""Archon's greedy search: the best value of one hole after the other.

From the first point on, every value of a hole is tried with all others held, and the best is kept;
then the next hole. It ends when a round over all holes changes nothing. (Saad-Falcon et al., 2024)
"""

from __future__ import annotations

from collections.abc import Iterator

from ...compiler.space import Choice
from ..history import History
from .base import Setting, Strategy, without

__all__ = ["Greedy"]


class Greedy(Strategy):
    """Coordinate ascent."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._coming: Iterator[Choice] | None = None
        self._history: History | None = None

    async def ask(self, history: History) -> Choice | None:
        """The next value of the hole that it is at."""
        self._history = history
        if self._coming is None:
            self._coming = self._walk(history)
        return next(self._coming, None)

    def _walk(self, history: History) -> Iterator[Choice]:
        best: Choice = self.space.first
        if best not in history:
            yield best
        changed = True
        while changed:
            changed = False
            for hole in self.space.holes:
                if hole.name not in best:
                    continue
                tried = []
                for place in range(hole.count or 5):
                    value = (
                        hole.nth(place) if hole.count else self._between(hole.low, hole.high, place)
                    )
                    made = without(self.space, best, hole, value, self.rng)
                    if not self.space.valid(made):
                        tried.append(made)
                        if made not in history:
                            yield made
                better = self._best([*tried, best])
                changed = changed or better != best
                best = better

    def _between(self, low: float | None, high: float | None, place: int) -> float:
        return float(low or 0) + (float(high or 0) - float(low or 0)) * place / 4

    def _best(self, choices: list[Choice]) -> Choice:
        assert self._history is not None
        history, aim = self._history, self.aims[0]
        known = [trial for c in choices if (trial := history.get(c)) is not None]
        asked = [trial for trial in known if trial.asked]
        if not asked:
            return choices[-1]
        return max(asked, key=lambda t: history.mean(t, aim)).choice
