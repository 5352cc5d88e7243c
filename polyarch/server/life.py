"""Whether a server takes requests, and what is to be done when it is told to stop."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Life"]

_LEFT = 2.0
"""Seconds before the end of the grace in which replies still get out; no more than half of it."""


class Life:
    """A server's life. `hurry` is told in how many seconds what runs is to end."""

    def __init__(self, hurry: Callable[[float], None] | None = None) -> None:
        self.stopping = False
        self._hurry = hurry

    def stop(self, grace: float) -> None:
        """Take nothing more, and let what runs end within so many seconds."""
        self.stopping = True
        if self._hurry is not None:
            self._hurry(grace - min(_LEFT, grace / 2))
