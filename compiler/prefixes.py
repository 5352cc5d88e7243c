"""A model of a prefix cache: which beginnings prompts share, and how many tokens are new.

A prompt is a row of segments, each a variable or the text between two. One row stands for all the
prompts of a step, so a prefix is counted as often as its variables take different values. Text that
stands before everything else is the same for all questions, and not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["Key", "Prefixes", "Route", "Segment"]

Key: TypeAlias = tuple[str, ...]
"""What tells segments apart; of fixed text, "" and the text."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt. Equal keys mean equal text; `times` values after one of all before."""

    key: Key
    times: int
    tokens: int


Route: TypeAlias = Sequence[tuple[int, int, int]]
"""A way through the prefixes: each with how often it differs, and the tokens it adds."""


@dataclass(slots=True)
class Prefixes:
    """The prefixes of prompts, each with the prompts that go by it."""

    _known: dict[tuple[int | str, Key], int] = field(default_factory=dict)
    _times: dict[int, dict[int, int]] = field(default_factory=dict)
    """How many prompts go by a prefix, by how often it differs for each."""

    def route(self, model: str, segments: Sequence[Segment]) -> Route:
        """The way of a prompt through the prefixes of its model."""
        route = []
        at: int | str = model
        times, common = 1, True
        for segment in segments:
            common = common and not segment.key[0]
            times *= segment.times
            at = self._known.setdefault((at, segment.key), len(self._known))
            route.append((at, times, 0 if common else segment.tokens))
        return route

    def new(self, route: Route) -> int:
        """The tokens of a route that no prompt added so far goes by."""
        new = 0
        for at, times, tokens in route:
            known = self._times.get(at)
            most = max(known) if known else 0
            if times > most:
                new += tokens * (times - most)
        return new

    def add(self, route: Route) -> None:
        """Let a prompt go by this route."""
        for at, times, _ in route:
            known = self._times.get(at)
            if known is None:
                self._times[at] = {times: 1}
            else:
                known[times] = known.get(times, 0) + 1

    def drop(self, route: Route) -> None:
        """Take back what was added."""
        for at, times, _ in route:
            known = self._times[at]
            known[times] -= 1
            if not known[times]:
                del known[times]
