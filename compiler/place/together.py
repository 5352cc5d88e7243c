"""All engines at the same time: the homes with the least work on the busiest GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .assumed import LIMIT
from .homes import Choice, Home, Tries, spreads

__all__ = ["together"]

_Score = tuple[float, float]


def together(
    groups: Sequence[Sequence[int]], choices: Sequence[Sequence[Choice]], tries: Tries
) -> tuple[Home, ...] | None:
    """Homes for all engines, so that no GPU's shares exceed the limit; None if there are none.

    `groups` holds the GPUs of each group, `choices` the ways to serve each engine. The search is
    complete while `tries` last: engines are placed largest first, GPUs that are used alike are
    taken once, and what is busier than the best so far is left.
    """
    search = _Search(groups, choices, tries)
    search.place(sorted(range(len(choices)), key=lambda e: -_least(choices[e])), ())
    return search.best


def _least(choices: Sequence[Choice]) -> int:
    return min((choice.size * choice.share for choice in choices), default=0)


@dataclass
class _Search:
    groups: Sequence[Sequence[int]]
    choices: Sequence[Sequence[Choice]]
    tries: Tries
    best: tuple[Home, ...] | None = None
    score: _Score = (float("inf"), float("inf"))
    used: dict[int, int] = field(default_factory=dict)
    busy: dict[int, float] = field(default_factory=dict)
    seen: set[object] = field(default_factory=set)

    def place(self, engines: Sequence[int], homes: tuple[Home, ...]) -> None:
        """Place the engines that are left, each at every home that may be better."""
        score = self._score()
        if score >= self.score or self._met(len(engines)):
            return
        if not engines:
            self.best, self.score = tuple(sorted(homes, key=lambda h: h.engine)), score
            return
        for home in sorted(self._homes(engines[0]), key=self._after):
            if not self.tries.one():
                return
            self._add(home, 1)
            self.place(engines[1:], (*homes, home))
            self._add(home, -1)

    def _homes(self, engine: int) -> Iterator[Home]:
        for choice in self.choices[engine]:
            free = [
                gpu
                for gpu in self.groups[choice.group]
                if self.used.get(gpu, 0) + choice.share <= LIMIT
            ]
            for gpus in spreads(free, choice.size, self._key):
                yield Home(engine, gpus, choice)

    def _key(self, gpu: int) -> tuple[int, float]:
        return self.used.get(gpu, 0), round(self.busy.get(gpu, 0.0), 12)

    def _after(self, home: Home) -> float:
        return max(self.busy.get(gpu, 0.0) for gpu in home.gpus) + home.choice.work

    def _add(self, home: Home, sign: int) -> None:
        for gpu in home.gpus:
            self.used[gpu] = self.used.get(gpu, 0) + sign * home.choice.share
            self.busy[gpu] = self.busy.get(gpu, 0.0) + sign * home.choice.work

    def _score(self) -> _Score:
        return max(self.busy.values(), default=0.0), sum(self.busy.values())

    def _met(self, left: int) -> bool:
        """Whether as many engines were left before with GPUs used the same."""
        state = (left, tuple(tuple(sorted(map(self._key, gpus))) for gpus in self.groups))
        if state in self.seen:
            return True
        self.seen.add(state)
        return False
