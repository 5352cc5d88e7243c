"""Beliefs about each hole of its own, moved towards what was rewarded.

The next point is drawn hole by hole; a policy gradient moves the beliefs. What holes do together it
cannot learn. (Automated Concatenation of Embeddings, Wang et al., 2021: rewards are compared with
those of earlier points, the more alike the more they count.)
"""

from __future__ import annotations

from statistics import pstdev

from ...compiler.space import Choice
from ..history import History
from ..trial import Trial
from .base import Setting, Strategy
from .beliefs import Beliefs

__all__ = ["Reinforce", "gain"]

_MEMORY = 32
_LONGEST = 3.0
"""Standard deviations that count at most, lest one reward decide."""


class Reinforce(Strategy):
    """A categorical belief for each hole. `rate` is how far one reward moves it, `discount` how
    much less an earlier point counts for each hole in which it differs."""

    def __init__(self, setting: Setting, rate: float = 0.5, discount: float = 0.6) -> None:
        super().__init__(setting)
        self._rate = rate
        self._discount = discount
        self.beliefs = Beliefs(setting.space)
        self._earlier: list[tuple[Choice, float]] = []

    async def ask(self, history: History) -> Choice | None:
        """A point drawn from the beliefs; the first one is the space's own."""
        if self.space.first not in history:
            return self.space.first
        return self.beliefs.draw(self.rng)

    def tell(self, trial: Trial) -> None:
        """Move the beliefs by how much better the point did than those like it."""
        if not trial.asked:
            return
        reward = trial.value(self.aims[0])
        self.beliefs.reward(
            trial.choice,
            self._rate * gain(trial.choice, reward, self._earlier, self._discount),
        )
        self._earlier = [*self._earlier[-_MEMORY:], (trial.choice, reward)]


def gain(
    choice: Choice, reward: float, earlier: list[tuple[Choice, float]], discount: float
) -> float:
    """How much better a point did than earlier ones, in their standard deviations; those count less
    that differ from it in more holes."""
    spread = pstdev([r for _, r in earlier]) if len(earlier) > 1 else 0.0
    if not spread:
        return 0.0
    weights = [discount ** _distance(choice, c) for c, _ in earlier]
    told = sum(w * (reward - r) for w, (_, r) in zip(weights, earlier, strict=True))
    return max(-_LONGEST, min(_LONGEST, told / sum(weights) / spread))


def _distance(one: Choice, other: Choice) -> int:
    return sum(one.get(name) != other.get(name) for name in {*one, *other})
