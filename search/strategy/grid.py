"""All points in the order of the file."""

from __future__ import annotations

from ...compiler.space import Choice
from ..history import History
from .base import Setting, Strategy

__all__ = ["Grid"]


class Grid(Strategy):
    """Goes through a finite space, the last holes first."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._points = setting.space.points()

    async def ask(self, history: History) -> Choice | None:
        """The next point that was not tried."""
        return next((choice for choice in self._points if choice not in history), None)
