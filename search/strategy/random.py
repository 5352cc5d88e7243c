"""Points at random, each at most once."""

from __future__ import annotations

from ...compiler.space import Choice
from ..history import History
from .base import Strategy

__all__ = ["Random"]


class Random(Strategy):
    """Draws points uniformly, without replacement."""

    async def ask(self, history: History) -> Choice | None:
        """A point that was not tried."""
        return self.unseen(history)
