"""The methods of `rank` that show a judge all candidates at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar

from ..compiler.op import Amount, Context, Flow, Shown, Stream
from ..compiler.values import Candidate, Purpose
from ._asks import Form, Said, numbered
from ._rank import Asks, Found, Method, Score
from ._strengths import bradley_terry, expected_shares

if TYPE_CHECKING:
    from .rank import Rank

__all__ = ["CHECKLIST", "LISTWISE", "Checklist", "Listwise", "Picked", "Ranking"]

LISTWISE = """\
Here are a question and several answers to it, numbered.

### Question
{question}

{candidates}

Put the answers in order, the best first. {criterion} Their numbers and the order in which they \
are shown mean nothing.

Reply with one JSON object and nothing else; its list holds every number once: \
{"ranking": [best, next, …, worst]}"""
"""Asks for the order of all candidates at once."""

CHECKLIST = """\
Here are a question and several answers to it, numbered.

### Question
{question}

{candidates}

First write a checklist: what a good answer to this very question must do, a few short points. \
Then hold every answer against it and name the best one. {criterion} Their numbers and the order \
in which they are shown mean nothing.

Reply with one JSON object and nothing else: \
{"checklist": ["point", "point", …], "reason": "what decides it", "best": number}"""
"""Asks for a checklist, and which candidate meets it best."""


class Ranking(Form):
    """The numbers of the candidates shown, best first."""

    ranking: tuple[int, ...]


class Picked(Form):
    """What a good answer does, and the number of the candidate that does it best."""

    checklist: tuple[Said, ...]
    reason: str
    best: int


class _Listed(Method):
    """All are shown in `orders` orders, and each reply says something of all."""

    shown: ClassVar[frozenset[str]] = frozenset({"candidates"})
    most_orders: ClassVar[int | None] = None

    def asked(self, op: Rank, given: Flow) -> Asks:
        low, high = given.count.low, given.count.high
        count = Amount(op.orders if low > 1 else 0, op.orders)
        return Asks(count, Amount(max(2, low), high), Amount(min(1, count.low), 1))

    def shows(self, op: Rank, given: Flow) -> Mapping[str, Shown]:
        return {"candidates": Shown(op.orders, given.count.high)}

    async def found(self, op: Rank, ctx: Context, given: Stream) -> Found:
        candidates = await given.all()
        if len(candidates) < 2:
            return Found(candidates, [None for _ in candidates])
        orders = _orders(ctx, len(candidates), op.orders)
        jobs = [self._said(op, ctx, candidates, o, index) for index, o in enumerate(orders)]
        said = [one for one in await ctx.together(jobs) if one is not None]
        return Found(candidates, self._scores(op, said, len(candidates)))

    @abstractmethod
    async def _said(
        self,
        op: Rank,
        ctx: Context,
        candidates: Sequence[Candidate],
        places: Sequence[int],
        index: int,
    ) -> Sequence[int] | None:
        """The places named, best first, when the candidates are shown in the order of `places`."""

    @abstractmethod
    def _scores(self, op: Rank, said: Sequence[Sequence[int]], count: int) -> list[Score]:
        """What readable replies come to, for each of `count` candidates."""


class Listwise(_Listed):
    """The judge puts all in order."""

    prompt: ClassVar[str] = LISTWISE
    role: ClassVar[str] = "rank"
    takes: ClassVar[frozenset[str]] = frozenset({"aggregate"})

    async def _said(
        self,
        op: Rank,
        ctx: Context,
        candidates: Sequence[Candidate],
        places: Sequence[int],
        index: int,
    ) -> Sequence[int] | None:
        shown = [candidates[place] for place in places]
        numbers = list(range(1, len(shown) + 1))

        def check(form: Ranking) -> str:
            if sorted(form.ranking) == numbers:
                return ""
            return f"the ranking must hold each number from 1 to {len(shown)} exactly once"

        asked = await ctx.ask(
            op,
            ctx.fill(op, candidates=numbered(shown), criterion=op.criterion),
            Purpose(self.role, ctx.question.text, tuple(c.text for c in shown)),
            Ranking,
            index=index,
            check=check,
        )
        return None if asked.value is None else [places[n - 1] for n in asked.value.ranking]

    def _scores(self, op: Rank, said: Sequence[Sequence[int]], count: int) -> list[Score]:
        if not said:
            return [None] * count
        if op.aggregate == "bradley_terry":
            won: dict[tuple[int, int], float] = {}
            for order in said:
                for pair in combinations(order, 2):
                    won[pair] = won.get(pair, 0.0) + 1.0
            return [*expected_shares(bradley_terry(count, won))]
        worst = len(said) * (count - 1)
        return [1 - sum(order.index(i) for order in said) / worst for i in range(count)]


class Checklist(_Listed):
    """The judge writes a checklist and names the best."""

    prompt: ClassVar[str] = CHECKLIST
    role: ClassVar[str] = "pick"

    async def _said(
        self,
        op: Rank,
        ctx: Context,
        candidates: Sequence[Candidate],
        places: Sequence[int],
        index: int,
    ) -> Sequence[int] | None:
        shown = [candidates[place] for place in places]

        def check(form: Picked) -> str:
            known = 1 <= form.best <= len(shown)
            return "" if known else f"best must be a number from 1 to {len(shown)}"

        asked = await ctx.ask(
            op,
            ctx.fill(op, candidates=numbered(shown), criterion=op.criterion),
            Purpose(self.role, ctx.question.text, tuple(c.text for c in shown)),
            Picked,
            index=index,
            check=check,
        )
        if asked.value is None:
            return None
        best = places[asked.value.best - 1]
        ctx.note("checklist", checklist=asked.value.checklist, best=candidates[best].origin.key)
        return [best]

    def _scores(self, op: Rank, said: Sequence[Sequence[int]], count: int) -> list[Score]:
        if not said:
            return [None] * count
        return [sum(best == i for (best,) in said) / len(said) for i in range(count)]


def _orders(ctx: Context, count: int, orders: int) -> list[list[int]]:
    """The orders in which so many are shown: as given and in reverse, then at random, each random
    one in reverse as well, so that nobody is shown early more often than late."""
    shown: list[list[int]] = []
    for number in range(orders):
        if number % 2:
            shown.append(shown[-1][::-1])
            continue
        places = list(range(count))
        if number:
            ctx.rng("order", number).shuffle(places)
        shown.append(places)
    return shown
