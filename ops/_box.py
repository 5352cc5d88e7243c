"""The votes of a vote, by answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import fsum

from ..compiler.answers import Answer, AnswerKind
from ..compiler.values import Candidate

__all__ = ["Box", "Cast", "Group"]

_PLACES = 9
"""Sums of weights that agree to so many decimals are equal: 0.1 + 0.2 ties with 0.3."""


@dataclass(frozen=True, slots=True)
class Cast:
    """What a candidate voted for, and how much that counts."""

    candidate: Candidate
    answer: Answer
    weight: float


@dataclass(frozen=True, slots=True)
class Group:
    """Votes for one answer, in index order."""

    votes: Sequence[Cast]
    total: float


@dataclass(slots=True)
class Box:
    """The votes cast, by answer."""

    kind: AnswerKind
    votes: list[Cast] = field(default_factory=list)
    _counted: int = 0
    _leaders: list[Answer] = field(default_factory=list)
    _totals: list[float] = field(default_factory=list)
    _known: dict[Answer, int] = field(default_factory=dict)
    _last: int = -1
    run: int = 0
    """How many of the last votes were for one answer."""

    def totals(self) -> list[float]:
        """The votes of each answer so far, most first; two at least."""
        for vote in self.votes[self._counted :]:
            place = self._place(vote.answer)
            self._totals[place] += vote.weight
            self.run = self.run + 1 if place == self._last else 1
            self._last = place
        self._counted = len(self.votes)
        missing = max(0, 2 - len(self._totals))
        return sorted([*self._totals, *[0.0] * missing], reverse=True)

    def tally(self) -> list[Group]:
        """The groups, most votes first; of equal ones that which was voted for earlier first."""
        groups: dict[int, list[Cast]] = {}
        firsts = self.kind.group([vote.answer for vote in self.votes])
        for first, vote in zip(firsts, self.votes, strict=True):
            groups.setdefault(first, []).append(vote)
        counted = [
            Group(votes, round(fsum(vote.weight for vote in votes), _PLACES))
            for votes in groups.values()
        ]
        return sorted(counted, key=lambda group: -group.total)

    def _place(self, answer: Answer) -> int:
        """The answer's group, a new one if it is the first of its kind."""
        if answer not in self._known:
            place = self.kind.group([*self._leaders, answer])[-1]
            if place == len(self._leaders):
                self._leaders.append(answer)
                self._totals.append(0.0)
            self._known[answer] = place
        return self._known[answer]
