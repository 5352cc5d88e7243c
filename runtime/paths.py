"""How long the way from a step to the output is expected to be."""

from __future__ import annotations

from ..compiler.plan import Plan

__all__ = ["Paths"]

_SLOWLY = 0.1
"""The share of a new reply in what is expected."""

_OFTEN = 64
"""Replies between two looks at the paths."""


class Paths:
    """The longest path from each step of a plan to its output, in seconds.

    A request of a step is expected to take as long as those before it did, and as long as the
    others' while there were none.
    """

    __slots__ = ("_learned", "_paths", "_plan", "_since")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._learned: dict[str, float] = {}
        self._paths: dict[str, float] = {}
        self._since = 0

    def learn(self, step: str, seconds: float) -> None:
        """A request of the step took so many seconds."""
        known = self._learned.get(step)
        self._learned[step] = seconds if known is None else known + _SLOWLY * (seconds - known)
        self._since += 1

    def remaining(self, step: str) -> float:
        """The seconds that are expected from the step to the output, its own included."""
        if not self._paths or self._since >= _OFTEN:
            self._since = 0
            self._paths = self._measure()
        return self._paths[step]

    def _measure(self) -> dict[str, float]:
        plan, learned = self._plan, self._learned
        graph = plan.graph
        usual = sum(learned.values()) / len(learned) if learned else 1.0
        longest: dict[str, float] = {}
        for name in reversed(graph.order):
            after = [longest[reader.name] for reader in graph.followers(name)]
            own = plan.costs[name].depth.high * learned.get(name, usual)
            longest[name] = own + max(after, default=0.0)
        return longest
