"""Let the candidates' answers vote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from math import exp, fsum, isqrt, lgamma, log
from typing import Annotated, Literal

from pydantic import Field

from ..compiler.answers import Answer, AnswerKind
from ..compiler.op import All, Context, Flow, Mismatch, Stream
from ..compiler.values import Candidate, Json
from ._scores import finite, must_carry

__all__ = ["Vote", "lead_confidence"]

_PLACES = 9
"""Sums of weights that agree to so many decimals are equal: 0.1 + 0.2 ties with 0.3."""

_MARGIN = 1e-8
"""A lead must exceed what is outstanding by more than rounding can."""


class Vote(All):
    """Let the candidates' answers vote.

    Answers that mean the same are one group; the group with the most votes wins, of equal ones the
    group whose first vote came earliest in index order. Yields one candidate: the first of the
    winning group, or with `weight` its heaviest (of equals the earlier). Asks nobody.

    With `weight`, a vote counts as much as the candidate's score of that name. A weight that is
    missing, not finite or negative does not vote, is counted, and cannot win.

    *No answer* never votes and is counted. Adds the score `vote`, the winner's share of all votes
    cast, and the notes `votes` ([answer, votes] of each group, most votes first) and `no_answer`.
    If nothing votes, or nothing but zero weights, `otherwise` says what happens: `plurality` counts
    every answer as one vote (and is as `first` if there is no answer at all), `first` yields the
    first candidate, `none` yields nothing. The first two add the note `fallback`, not the score.

    With `stop_at`, it reads `ahead` candidates at a time and closes its input once decided, always
    in index order. `exact`: when the lead is larger than all that is outstanding can be, which
    never changes the winning answer. A number: also when the leading answer beats the runner-up
    with that probability, given the votes so far (from `min_votes` votes on): the chance that p >
    1/2 for p ~ Beta(leader + 1, runner-up + 1). Weighted votes count there as fractions of a vote,
    so with `stop_at` a weight above 1 is not usable either.

    Self-Consistency (Wang et al., 2022); early stopping: Adaptive-Consistency (Aggarwal et al.,
    2023), whose threshold is 0.95.
    """

    weight: Annotated[str, Field(min_length=1)] | None = None
    """The score that a vote counts; None counts each as one."""
    stop_at: Annotated[float, Field(gt=0.5, lt=1)] | Literal["exact"] | None = None
    """When to stop early; None reads everything."""
    min_votes: Annotated[int, Field(ge=2)] = 2
    """Fewest votes before a probability may stop it."""
    ahead: Annotated[int, Field(ge=1)] = 4
    """With `stop_at`, how many candidates may be under way ahead of what was read."""
    otherwise: Literal["plurality", "first", "none"] = "plurality"
    """What comes out if nothing votes."""

    def flow(self, given: Flow) -> Flow:
        """The score is promised although nothing may vote."""
        if given.count.high == 0:
            raise Mismatch("a vote over nothing")
        if given.count.high == 1:
            raise Mismatch("a vote over one candidate decides nothing")
        if self.weight is not None:
            must_carry(given, self.weight, "weight")
        low = 0 if self.otherwise == "none" else min(1, given.count.low)
        return given.with_count(low, 1).adding(("vote",), ("votes", "no_answer"))

    def keeps(self) -> Literal["none", "some", "all"]:
        return "some"

    def window(self, given: Flow) -> int | None:
        return None if self.stop_at is None else self.ahead

    def least(self, given: Flow) -> int:
        """As many as it takes if every one is a whole vote for the same answer."""
        if self.stop_at is None:
            return given.count.low
        read = (k for k in range(given.count.low) if self._decided(k, 0.0, k, given.count.high - k))
        return next(read, given.count.low)

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        box = _Box(ctx.answer)
        read: list[Candidate] = []
        stopped = False
        async for candidate in given:
            read.append(candidate)
            weight = self._weight(candidate)
            if candidate.answer is not None and weight is not None:
                box.votes.append(_Vote(candidate, candidate.answer, weight))
            if self._settled(box, given.left):
                stopped = True
                await given.aclose()
                break
        silent = sum(candidate.answer is None for candidate in read)
        voted = len(box.votes)
        ctx.note(
            "vote",
            read=len(read),
            voted=voted,
            no_answer=silent,
            no_weight=len(read) - silent - voted,
            stopped=stopped,
        )
        winner = self._winner(box.tally())
        if winner is None and read and self.otherwise != "none":
            winner = self._fallback(ctx, read)
            ctx.note("fallback", candidate=winner.origin.key)
        if winner is not None:
            yield winner.noted("no_answer", silent)

    def _fallback(self, ctx: Context, read: Sequence[Candidate]) -> Candidate:
        """What comes out if nothing voted."""
        instead = read[0]
        if self.otherwise == "plurality":
            box = _Box(ctx.answer)
            box.votes += [_Vote(c, c.answer, 1.0) for c in read if c.answer is not None]
            instead = next((group.votes[0].candidate for group in box.tally()), instead)
        return instead.noted("fallback", "nothing voted").noted("votes", [])

    def _weight(self, candidate: Candidate) -> float | None:
        """What the candidate's vote counts; None if its weight cannot be used."""
        if self.weight is None:
            return 1.0
        weight = finite(candidate, self.weight)
        if weight is None or weight < 0 or (self.stop_at is not None and weight > 1):
            return None
        return weight

    def _settled(self, box: _Box, outstanding: int) -> bool:
        if self.stop_at is None or outstanding <= 0:
            return False
        leader, runner_up = box.ahead()
        return self._decided(leader, runner_up, len(box.votes), outstanding)

    def _decided(self, leader: float, runner_up: float, votes: int, outstanding: int) -> bool:
        if leader - runner_up - outstanding > _MARGIN:
            return True
        if not isinstance(self.stop_at, float) or votes < self.min_votes or leader <= runner_up:
            return False
        return lead_confidence(leader, runner_up) >= self.stop_at

    def _winner(self, tally: Sequence[_Group]) -> Candidate | None:
        if not tally or tally[0].total <= 0:
            return None
        best = max(tally[0].votes, key=lambda vote: vote.weight)
        share = tally[0].total / fsum(group.total for group in tally)
        shown: list[Json] = [[g.votes[0].answer.text, self._shown(g.total)] for g in tally]
        return best.candidate.scored("vote", min(1.0, share)).noted("votes", shown)

    def _shown(self, total: float) -> float:
        return int(total) if self.weight is None else total


@dataclass(frozen=True, slots=True)
class _Vote:
    candidate: Candidate
    answer: Answer
    weight: float


@dataclass(frozen=True, slots=True)
class _Group:
    """Votes for one answer, in index order."""

    votes: Sequence[_Vote]
    total: float


@dataclass(slots=True)
class _Box:
    """The votes cast, by answer."""

    kind: AnswerKind
    votes: list[_Vote] = field(default_factory=list)
    _counted: int = 0
    _leaders: list[Answer] = field(default_factory=list)
    _totals: list[float] = field(default_factory=list)
    _known: dict[Answer, int] = field(default_factory=dict)

    def ahead(self) -> tuple[float, float]:
        """The votes of the leading answer so far, and of the one after it."""
        for vote in self.votes[self._counted :]:
            self._totals[self._place(vote.answer)] += vote.weight
        self._counted = len(self.votes)
        leader, runner_up, *_ = (*sorted(self._totals, reverse=True), 0.0, 0.0)
        return leader, runner_up

    def tally(self) -> list[_Group]:
        """The groups, most votes first; of equal ones that which was voted for earlier first."""
        groups: dict[int, list[_Vote]] = {}
        firsts = self.kind.group([vote.answer for vote in self.votes])
        for first, vote in zip(firsts, self.votes, strict=True):
            groups.setdefault(first, []).append(vote)
        counted = [
            _Group(votes, round(fsum(vote.weight for vote in votes), _PLACES))
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


def lead_confidence(leader: float, runner_up: float) -> float:
    """The probability that p > 1/2 for p ~ Beta(leader + 1, runner_up + 1): that the leading answer
    would stay ahead of the runner-up if votes went on for ever.

    >>> round(lead_confidence(4, 0), 6)  # 1 - 1/2**5
    0.96875
    """
    if leader < runner_up:
        return 1.0 - lead_confidence(runner_up, leader)
    a, b = leader + 1.0, runner_up + 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) - (a + b) * log(2.0)) / a
    return 1.0 - front / _continued(a, b)


def _continued(a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function at 1/2 (DLMF 8.17.22), from its end.
    For a >= b it converges within about sqrt(a) terms."""
    value = 1.0
    for m in range(32 + 4 * isqrt(int(a)), 0, -1):
        even = m * (b - m) / (2 * (a + 2 * m - 1) * (a + 2 * m))
        k = m - 1
        odd = (a + k) * (a + b + k) / (2 * (a + 2 * k) * (a + 2 * k + 1))
        value = 1.0 - odd / (1.0 + even / value)
    return value
