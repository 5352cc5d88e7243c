"""The methods of `rank` that do without most pairs: a knock-out, a Swiss tournament, a sort."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import fsum
from typing import TYPE_CHECKING, ClassVar

from ..compiler.op import Amount, Context, Flow, Stream
from ._coming import Coming
from ._rank import Asks, Found, Score
from ._rank_pairs import Compared, Entrant, Referee

if TYPE_CHECKING:
    from .rank import Rank

__all__ = ["Knockout", "Sorted", "Swiss"]


class Knockout(Compared):
    """Who loses a match is out; a tie, or what cannot be read, lets the earlier one go on."""

    def asked(self, op: Rank, given: Flow) -> Asks:
        low, high = max(0, given.count.low - 1), max(0, given.count.high - 1)
        # The least depth of a tree with so many leaves.
        return self._asks(op, Amount(low, high), Amount(low.bit_length(), high.bit_length()))

    async def found(self, op: Rank, ctx: Context, given: Stream) -> Found:
        coming, referee = Coming(given), Referee(op, ctx)
        behind = [0] * coming.most

        async def winner(first: int, end: int) -> Entrant | None:
            if end - first == 1:
                candidate = await coming.at(first)
                return None if candidate is None else Entrant(first, candidate)
            middle = _middle(first, end)
            one, other = await ctx.together([winner(first, middle), winner(middle, end)])
            if one is None or other is None:
                return one or other
            better = await referee.compare(one, other)
            won, lost = (other, one) if better == other.place else (one, other)
            if better is not None:
                behind[won.place] += behind[lost.place] + 1
            return won

        async def played() -> None:
            await winner(0, coming.most)

        read = await coming.alongside(ctx, [played()])
        others = max(1, len(read) - 1)
        scores = [behind[i] / others if referee.read(i) else None for i in range(len(read))]
        return Found(read, scores)


class Swiss(Compared):
    """Rounds in which those meet that did about as well so far and have not met yet."""

    takes: ClassVar[frozenset[str]] = frozenset({"aggregate", "rounds"})

    def asked(self, op: Rank, given: Flow) -> Asks:
        low, high = given.count.low, given.count.high
        sure = min(_rounds(op, low), (low + 1) // 2)
        pairs = Amount(low // 2 * sure, high // 2 * _rounds(op, high))
        return self._asks(op, pairs, Amount(sure, _rounds(op, high)))

    async def found(self, op: Rank, ctx: Context, given: Stream) -> Found:
        coming, referee = Coming(given), Referee(op, ctx)
        free: list[int] = []

        async def first(place: int) -> None:
            one, other = await coming.at(place), await coming.at(place + 1)
            if one is not None and other is not None:
                await referee.compare(Entrant(place, one), Entrant(place + 1, other))

        jobs = [first(place) for place in range(0, coming.most - 1, 2)]
        read = await coming.alongside(ctx, jobs)
        if len(read) % 2:
            free.append(len(read) - 1)
        entrants = [Entrant(place, candidate) for place, candidate in enumerate(read)]
        for _ in range(1, _rounds(op, len(read))):
            points = [_standing(referee, place, free) for place in range(len(read))]
            pairs = _pairings(points, {*referee.met}, free)
            await ctx.together([referee.compare(entrants[i], entrants[j]) for i, j in pairs])
        return Found(read, referee.scores(len(read)))


class Sorted(Compared):
    """Sorted by merging, no further than to the `keep` best; of a tie, or what cannot be read, the
    earlier one goes first."""

    def asked(self, op: Rank, given: Flow) -> Asks:
        low, high = given.count.low, given.count.high
        keep = high if op.keep == "all" else op.keep
        least, _, shallow, _ = _merges(high, low, keep)
        _, most, _, deep = _merges(high, high, keep)
        return self._asks(op, Amount(least, most), Amount(shallow, deep))

    async def found(self, op: Rank, ctx: Context, given: Stream) -> Found:
        coming, referee = Coming(given), Referee(op, ctx)
        keep = coming.most if op.keep == "all" else op.keep
        best: list[Entrant] = []

        async def ordered(first: int, end: int) -> list[Entrant]:
            if end - first < 2:
                candidate = await coming.at(first) if first < end else None
                return [] if candidate is None else [Entrant(first, candidate)]
            middle = _middle(first, end)
            one, other = await ctx.together([ordered(first, middle), ordered(middle, end)])
            merged: list[Entrant] = []
            while one and other and len(merged) < keep:
                better = await referee.compare(one[0], other[0])
                merged.append((other if better == other[0].place else one).pop(0))
            return (merged + one + other)[:keep]

        async def sort() -> None:
            best.extend(await ordered(0, coming.most))

        read = await coming.alongside(ctx, [sort()])
        places = {entrant.place: at for at, entrant in enumerate(best)}
        last = max(1, len(read) - 1)
        scores: list[Score] = [
            1 - places.get(place, last) / last if referee.read(place) else None
            for place in range(len(read))
        ]
        return Found(read, scores)


def _rounds(op: Rank, count: int) -> int:
    """How many rounds a Swiss tournament has: as many as a knock-out, if nothing else is said, and
    no more than it takes for everybody to meet everybody."""
    if count < 2:
        return 0
    everybody = count - 1 if count % 2 == 0 else count
    return min(op.rounds or (count - 1).bit_length(), everybody)


def _standing(referee: Referee, place: int, free: Sequence[int]) -> int:
    """Twice the points that a candidate is paired by: a round off is a win, what cannot be read a
    tie."""
    told = 2 * fsum(referee.points(place)) + 2 * free.count(place)
    unread = sum(place in pair for pair, winner in referee.met.items() if winner is None)
    return int(told) + unread


def _pairings(
    points: Sequence[int], met: set[tuple[int, int]], free: list[int]
) -> list[tuple[int, int]]:
    """Who meets whom next: nobody twice, as many as can, those with the most equal points. Of an
    odd number, the last of those with the fewest points that was not free before is free now."""
    import networkx as nx

    places = [*range(len(points))]
    if len(places) % 2:
        rested = min(places, key=lambda p: (free.count(p), points[p], -p))
        free.append(rested)
        places.remove(rested)
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(places)
    for i, j in combinations(places, 2):
        if (i, j) not in met:
            # Points decide, and among equals how near two were read.
            graph.add_edge(i, j, weight=-((points[i] - points[j]) ** 2) * len(points) - (j - i))
    pairs = nx.max_weight_matching(graph, maxcardinality=True)
    return sorted((min(pair), max(pair)) for pair in pairs)


def _middle(first: int, end: int) -> int:
    return (first + end + 1) // 2


def _merges(size: int, there: int, keep: int) -> tuple[int, int, int, int]:
    """The fewest and the most pairs that sorting down to the best takes where the first `there` of
    `size` places are filled, and the fewest and most of them one after the other."""
    if there < 2:
        return 0, 0, 0, 0
    middle = _middle(0, size)
    before, after = min(there, middle), max(0, there - middle)
    left, right = _merges(middle, before, keep), _merges(size - middle, after, keep)
    one, other = min(before, keep), min(after, keep)
    fewest = min(one, other)
    most = min(keep, one + other - 1) if fewest else 0
    return (
        left[0] + right[0] + fewest,
        left[1] + right[1] + most,
        max(left[2], right[2]) + fewest,
        max(left[3], right[3]) + most,
    )
