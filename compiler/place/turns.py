"""Engines that do not fit together take turns over a batch: the order with the fewest swaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import combinations, count

from .assumed import LIMIT
from .homes import Choice, Home, Tries, members, spreads
from .units import Unit, ready

__all__ = ["Order", "best_order", "in_turns"]

Engines = frozenset[int]
_Cost = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Order:
    """Which engines are awake in each turn. A swap is an engine that is woken after the first
    turn; `seconds` is what all of them take."""

    awake: tuple[Engines, ...]
    swaps: int
    seconds: float


def best_order(
    units: tuple[Unit, ...], sets: Sequence[Engines], moved: Callable[[Engines, Engines], float]
) -> Order | None:
    """The order of turns with the fewest swaps, then the fewest seconds; None if there is none.

    `sets` are those that fit together; `moved` says the seconds from one to another. Every turn
    runs all it can, so the search (Dijkstra's) is over what is done and who is awake.
    """
    everything = frozenset(range(len(units)))
    numbers = count()
    queue: list[tuple[_Cost, int, int, frozenset[int], tuple[Engines, ...]]] = []
    for awake in sets:
        done = ready(units, frozenset(), awake)
        if done or not units:
            heappush(queue, ((0, 0.0), 1, next(numbers), done, (awake,)))
    settled: set[tuple[frozenset[int], Engines]] = set()
    while queue:
        (swaps, seconds), turns, _, done, path = heappop(queue)
        if done == everything:
            return Order(path, swaps, seconds)
        if (done, path[-1]) in settled:
            continue
        settled.add((done, path[-1]))
        for awake in sets:
            after = ready(units, done, awake)
            if after != done:
                cost = (swaps + len(awake - path[-1]), seconds + moved(path[-1], awake))
                heappush(queue, (cost, turns + 1, next(numbers), after, (*path, awake)))
    return None


@dataclass(slots=True)
class _Best:
    score: tuple[int, float, float] = (1 << 30, float("inf"), float("inf"))
    found: tuple[tuple[Home, ...], Order] | None = None


def in_turns(
    groups: Sequence[Sequence[int]],
    choices: Sequence[Sequence[Choice]],
    units: tuple[Unit, ...],
    residues: Sequence[int],
    moved: Callable[[Sequence[Home], Engines, Engines], float],
    tries: Tries,
) -> tuple[tuple[Home, ...], Order] | None:
    """Homes that engines keep over a batch, and the order of turns; None if some engine fits at
    none. `residues` holds, by group, the thousandths that a sleeping engine keeps of a GPU."""
    best = _Best()
    for homes in _all_homes(groups, choices, (), tries):
        sets = tuple(_fitting(homes, residues))
        order = best_order(units, sets, partial(moved, homes))
        if order is None:
            continue
        score = (order.swaps, order.seconds, _busiest(homes))
        if score < best.score:
            best.score, best.found = score, (homes, order)
    return best.found


def _all_homes(
    groups: Sequence[Sequence[int]],
    choices: Sequence[Sequence[Choice]],
    homes: tuple[Home, ...],
    tries: Tries,
) -> Iterator[tuple[Home, ...]]:
    engine = len(homes)
    if engine == len(choices):
        if tries.one():
            yield homes
        return
    on = members(homes)
    for choice in choices[engine]:
        for gpus in spreads(
            groups[choice.group],
            choice.size,
            lambda gpu: tuple(home.engine for home in on.get(gpu, ())),
        ):
            if tries.cut:
                return
            yield from _all_homes(groups, choices, (*homes, Home(engine, gpus, choice)), tries)


def _fitting(homes: Sequence[Home], residues: Sequence[int]) -> Iterator[Engines]:
    """The sets of engines that may be awake together, larger ones first."""
    on = members(homes)
    for size in range(len(homes), 0, -1):
        for awake in combinations(range(len(homes)), size):
            if all(_fits(there, set(awake), residues) for there in on.values()):
                yield frozenset(awake)


def _fits(there: Sequence[Home], awake: set[int], residues: Sequence[int]) -> bool:
    used = sum(
        home.choice.share if home.engine in awake else residues[home.choice.group] for home in there
    )
    return used <= LIMIT


def _busiest(homes: Sequence[Home]) -> float:
    return max(sum(home.choice.work for home in there) for there in members(homes).values())
