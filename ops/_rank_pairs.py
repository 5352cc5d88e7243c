"""Two candidates at a time: who judges them, and the method of `rank` that compares every two."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import ceil, fsum
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from ..compiler.op import Amount, Context, Flow, Shown, Stream
from ..compiler.values import Candidate, Purpose
from ._asks import Form, nth
from ._coming import Coming
from ._rank import Asks, Found, Method, Score
from ._strengths import bradley_terry, expected_shares

if TYPE_CHECKING:
    from .rank import Rank

__all__ = [
    "PAIRWISE",
    "Compared",
    "Comparison",
    "Entrant",
    "Pairwise",
    "Referee",
]

PAIRWISE = """\
Here are a question and two answers to it.

### Question
{question}

### First answer
{first}

### Second answer
{second}

Which answer is better? {criterion} Which of them is shown first means nothing.

Reply with one JSON object and nothing else: \
{"reason": "what decides it", "better": "first" or "second" or "tie"}"""
"""Asks which of two candidates is better."""

_TIE = -1


class Comparison(Form):
    """Which of two candidates is better."""

    reason: str
    better: Literal["first", "second", "tie"]


class Entrant(NamedTuple):
    """A candidate and the place in which it was read."""

    place: int
    candidate: Candidate


class Referee:
    """Has pairs of candidates judged, each once, and keeps what came of it."""

    def __init__(self, op: Rank, ctx: Context) -> None:
        self._op = op
        self._ctx = ctx
        self.met: dict[tuple[int, int], int | None] = {}
        """By two places, lower first: which won, -1 for a tie, None where that cannot be read."""

    async def compare(self, one: Entrant, other: Entrant) -> int | None:
        """The place of the better one, -1 for a tie, None if that cannot be read."""
        one, other = sorted((one, other), key=_place)
        orders = [(one, other), (other, one)][: self._op.orders]
        told = await self._ctx.together([self._better(*pair) for pair in orders])
        found = set(told)
        winner = None if None in found else found.pop() if len(found) == 1 else _TIE
        self.met[one.place, other.place] = winner
        return winner

    async def _better(self, first: Entrant, second: Entrant) -> int | None:
        ctx, op = self._ctx, self._op
        one, other = first.candidate.text, second.candidate.text
        asked = await ctx.ask(
            op,
            ctx.fill(op, first=one, second=other, criterion=op.criterion),
            Purpose(Compared.role, ctx.question.text, (one, other)),
            Comparison,
            index=nth(first.place, second.place),
        )
        if asked.value is None:
            return None
        return {"first": first.place, "second": second.place, "tie": _TIE}[asked.value.better]

    def read(self, place: int) -> bool:
        """Whether anything readable was said of the candidate in that place."""
        return any(place in pair for pair, winner in self.met.items() if winner is not None)

    def points(self, place: int) -> list[float]:
        """1 for each pair that it won and a half for each tie, of those that could be read."""
        return [
            0.5 if winner == _TIE else float(winner == place)
            for pair, winner in self.met.items()
            if place in pair and winner is not None
        ]

    def scores(self, count: int) -> list[Score]:
        """What the pairs come to for the candidates in the first so many places."""
        points = [self.points(place) for place in range(count)]
        if self._op.aggregate == "share":
            return [fsum(own) / len(own) if own else None for own in points]
        won: dict[tuple[int, int], float] = {}
        for (i, j), winner in self.met.items():
            if winner is not None:
                won[i, j] = 0.5 if winner == _TIE else float(winner == i)
                won[j, i] = 1.0 - won[i, j]
        met = [place for place in range(count) if points[place]]
        strengths = bradley_terry(count, won)
        shares = expected_shares([strengths[place] for place in met])
        known = dict(zip(met, shares, strict=True))
        return [known.get(place) for place in range(count)]


class Compared(Method):
    """The judge is shown two at a time, both ways round with `orders: 2`."""

    prompt: ClassVar[str] = PAIRWISE
    shown: ClassVar[frozenset[str]] = frozenset({"first", "second"})
    role: ClassVar[str] = "compare"

    def shows(self, op: Rank, given: Flow) -> Mapping[str, Shown]:
        count = given.count.high
        others = count - 1 if op.orders == 2 else ceil(count / 2)
        return {"first": Shown(count if op.orders == 2 else count - 1), "second": Shown(others)}

    def _asks(self, op: Rank, pairs: Amount, depth: Amount) -> Asks:
        return Asks(pairs * Amount(op.orders, op.orders), Amount(2, 2), depth)


class Pairwise(Compared):
    """Every two are compared, as soon as both are there."""

    takes: ClassVar[frozenset[str]] = frozenset({"aggregate"})

    def asked(self, op: Rank, given: Flow) -> Asks:
        low, high = given.count.low, given.count.high
        pairs = Amount(low * (low - 1) // 2, high * (high - 1) // 2)
        return self._asks(op, pairs, Amount(min(1, pairs.low), min(1, pairs.high)))

    async def found(self, op: Rank, ctx: Context, given: Stream) -> Found:
        coming, referee = Coming(given), Referee(op, ctx)

        async def match(i: int, j: int) -> None:
            one, other = await coming.at(i), await coming.at(j)
            if one is not None and other is not None:
                await referee.compare(Entrant(i, one), Entrant(j, other))

        pairs = combinations(range(coming.most), 2)
        read = await coming.alongside(ctx, [match(i, j) for i, j in pairs])
        return Found(read, referee.scores(len(read)))


def _place(entrant: Entrant) -> int:
    return entrant.place
