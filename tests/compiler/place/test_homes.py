"""The searches against brute force on small cases."""

from __future__ import annotations

from itertools import combinations, permutations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from polyarch.compiler.place.assumed import LIMIT
from polyarch.compiler.place.homes import Choice, Tries, members, spreads
from polyarch.compiler.place.together import together
from polyarch.compiler.place.turns import best_order, in_turns
from polyarch.compiler.place.units import Unit, ready

GROUPS = ((0, 1), (2, 3))
Engines = frozenset[int]


@st.composite
def engine_choices(draw: st.DrawFn) -> list[list[Choice]]:
    engines = []
    for _ in range(draw(st.integers(1, 4))):
        whole = draw(st.integers(50, 1900))
        work = draw(st.integers(1, 9))
        engines.append(
            [
                Choice(group, size, share, work / size)
                for group in (0, 1)
                for size in (2, 1)
                if (share := whole // size + 30 * group) <= LIMIT
            ]
        )
    return engines


def exhaustive(choices: list[list[Choice]]) -> float | None:
    """The least work of the busiest GPU over every home of every engine."""
    homes = [
        [(c, gpus) for c in ways for gpus in combinations(GROUPS[c.group], c.size)]
        for ways in choices
    ]
    best: float | None = None
    for some in product(*homes):
        used, busy = [0] * 4, [0.0] * 4
        for choice, gpus in some:
            for gpu in gpus:
                used[gpu] += choice.share
                busy[gpu] += choice.work
        if max(used) <= LIMIT and (best is None or max(busy) < best):
            best = max(busy)
    return best


@given(engine_choices())
@settings(max_examples=150, deadline=None)
def test_together_finds_what_there_is(choices: list[list[Choice]]) -> None:
    tries = Tries(100_000)
    found = together(GROUPS, choices, tries)
    best = exhaustive(choices)
    assert not tries.cut
    assert (found is None) == (best is None)
    if found is not None:
        on = members(found)
        assert max(sum(h.choice.share for h in there) for there in on.values()) <= LIMIT
        busiest = max(sum(h.choice.work for h in there) for there in on.values())
        assert busiest == best or abs(busiest - (best or 0)) < 1e-9
        assert [home.engine for home in found] == list(range(len(choices)))


def test_spreads_tells_equal_ones_once() -> None:
    assert list(spreads((0, 1, 2, 3), 2, lambda gpu: 0)) == [(0, 1)]
    assert len(list(spreads((0, 1, 2, 3), 2, lambda gpu: gpu))) == 6
    assert sorted(spreads((0, 1, 2), 2, lambda gpu: gpu == 2)) == [(0, 1), (0, 2)]
    assert list(spreads((0,), 2, lambda gpu: 0)) == []


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[tuple[Unit, ...], tuple[Engines, ...]]:
    engines = draw(st.integers(1, 3))
    units = []
    for place in range(draw(st.integers(1, 5))):
        asks = draw(st.frozensets(st.integers(0, engines - 1), min_size=1, max_size=2))
        before = st.integers(0, place - 1) if place else st.nothing()
        after = draw(st.frozensets(before, max_size=place))
        units.append(Unit(f"s{place}", asks, after))
    largest = draw(st.integers(1, engines))
    sets = [
        frozenset(some)
        for size in range(largest, 0, -1)
        for some in combinations(range(engines), size)
    ]
    return tuple(units), tuple(sets)


def fewest_swaps(units: tuple[Unit, ...], sets: tuple[Engines, ...]) -> int | None:
    """Over every order of the units: each in a turn of its own, with whoever may be awake."""
    best: int | None = None
    for order in permutations(range(len(units))):
        if any(units[b].after - set(order[:a]) for a, b in enumerate(order)):
            continue
        costs = {awake: 0 for awake in sets if units[order[0]].engines <= awake}
        for place in order[1:]:
            costs = {
                awake: min(cost + len(awake - last) for last, cost in costs.items())
                for awake in sets
                if units[place].engines <= awake and costs
            }
        if costs and (best is None or min(costs.values()) < best):
            best = min(costs.values())
    return best


@given(pipelines())
@settings(max_examples=200, deadline=None)
def test_turns_have_the_fewest_swaps_and_keep_the_order(
    made: tuple[tuple[Unit, ...], tuple[Engines, ...]],
) -> None:
    units, sets = made
    order = best_order(units, sets, lambda before, after: 1.0)
    fewest = fewest_swaps(units, sets)
    assert (order is None) == (fewest is None)
    if order is None:
        return
    assert order.swaps == fewest
    done: frozenset[int] = frozenset()
    for awake in order.awake:
        assert awake in sets
        after = ready(units, done, awake)
        assert after > done
        for place in after - done:
            assert units[place].after <= after
            assert units[place].engines <= awake
        done = after
    assert done == frozenset(range(len(units)))


def test_a_sleeping_engine_keeps_its_residue() -> None:
    """Two that fit one after another, but not while the other's residue is there."""
    units = (Unit("a", frozenset({0}), frozenset()), Unit("b", frozenset({1}), frozenset({0})))

    def found(share: int) -> bool:
        choices = [[Choice(0, 1, share, 1.0)], [Choice(0, 1, 500, 1.0)]]
        made = in_turns([(0,)], choices, units, [20], lambda homes, a, b: 1.0, Tries(100))
        return made is not None

    assert found(LIMIT - 20)
    assert not found(LIMIT - 19)


def test_homes_are_chosen_for_few_swaps() -> None:
    """Three models of two GPUs: those that alternate get a GPU each."""
    units = tuple(
        Unit(f"s{n}", frozenset({engine}), frozenset({n - 1} if n else ()))
        for n, engine in enumerate([0, 1, 0, 1, 2])
    )
    choices = [[Choice(0, 1, 600, 1.0)]] * 3
    made = in_turns([(0, 1)], choices, units, [10], lambda homes, a, b: 1.0, Tries(100))
    assert made is not None
    homes, order = made
    assert homes[0].gpus != homes[1].gpus
    assert order.swaps == 1
