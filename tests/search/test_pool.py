"""What points cost beside what the bank holds, and what they would open."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from random import Random

import numpy as np
import pytest

from polyarch.compiler.space import Choice, Closed, Hole
from polyarch.search.aim import Aim
from polyarch.search.database import database
from polyarch.search.engine import Engine
from polyarch.search.examiner import Prepared
from polyarch.search.history import History
from polyarch.search.lineage import Lineage
from polyarch.search.mark import Mark
from polyarch.search.pool import Pool
from polyarch.search.race import Race
from polyarch.search.record import Record
from polyarch.search.strategy import Setting, strategy

MODELS = "abcde"


def needs(choice: Choice) -> Lineage:
    return Lineage({name: (name, 1.0) for name in MODELS if choice[name]})


def some(names: str) -> Choice:
    return {name: int(name in names) for name in MODELS}


def test_who_pays_for_more_draws_makes_others_free() -> None:
    pool = Pool(needs)
    for names in ("ab", "abc", "d"):
        pool.add(some(names))
    prices, after = pool.prices(lambda origin: 1.0 if origin == "a" else 0.0)
    assert prices.tolist() == [1, 2, 1]
    assert after.tolist() == [[0, 1, 1], [0, 0, 1], [1, 2, 0]]


def test_what_cannot_run_is_looked_at_once() -> None:
    pool = Pool(lambda choice: None)
    pool.add(some("a"))
    assert pool.points() == {}
    assert not pool.lacks(some("a"))


def test_the_most_promising_are_kept() -> None:
    pool = Pool(needs, most=2)
    for names in ("a", "b", "c"):
        pool.add(some(names))
    hopes = dict(zip(pool.points(), (0.1, 0.3, 0.2), strict=True))
    pool.keep(hopes)
    assert list(pool.points().values()) == [some("b"), some("c")]


class Subsets:
    """Which of five models are asked; the value is how many of the first three are."""

    holes = tuple(Hole(name, (False, True)) for name in MODELS)
    name = "subsets"
    size = 31
    first = some("e")

    def valid(self, choice: Choice) -> str:
        return "" if any(choice.values()) else "nobody is asked"

    def random(self, rng: Random) -> Choice:
        return rng.choice(list(self.points()))

    def points(self) -> Iterator[Choice]:
        for bits in itertools.product((0, 1), repeat=5):
            if any(bits):
                yield dict(zip(MODELS, bits, strict=True))

    def close(self, choice: Choice) -> Closed:
        raise NotImplementedError


class Shared:
    """Answers with the first models' help, and pays for a model and question once."""

    def __init__(self) -> None:
        self.there: set[tuple[str, int]] = set()

    def prepare(self, text: str, plan: object) -> Prepared:
        raise NotImplementedError

    async def ask(self, prepared: Prepared, places: Sequence[int]) -> list[Mark]:
        marks = []
        for place in places:
            wanted = {(name, place) for name in prepared.text}
            dice = np.random.default_rng([place, 7]).random()
            right = dice < 0.2 + 0.25 * sum(name in "abc" for name in prepared.text)
            fresh = len(wanted - self.there)
            self.there |= wanted
            marks.append(Mark(float(right), len(wanted), paid=fresh))
        return marks


def searched(name: str, seed: int, questions: int = 64) -> tuple[History, Shared, list[int]]:
    shared, space = Shared(), Subsets()
    history = History((Aim(),), holes=space.holes)
    paid: list[int] = []
    engine = Engine(
        space,
        shared,
        lambda c: Prepared(needs(c), None, "".join(n for n in MODELS if c[n])),
        Record(database(":memory:"), "subsets", {}),
        history,
        Race((Aim(),)),
        rng=Random(seed),
        most=questions,
        changed=lambda trial: paid.append(len(shared.there)),
    )
    made = strategy(name, Setting(space, (Aim(),), Random(seed), engine))
    asyncio.run(engine.explore(made))
    return history, shared, paid


@pytest.mark.parametrize("seed", range(3))
def test_every_point_is_tried_and_every_draw_paid_for_once(seed: int) -> None:
    history, shared, paid = searched("frugal", seed)
    assert len(history) == 31
    assert paid == sorted(paid)
    assert paid[-1] == len(shared.there) <= 5 * 64
    assert history.leader is not None
    assert all(history.leader.choice[name] for name in "abc")


def test_the_better_points_are_asked_more() -> None:
    history, _, _ = searched("frugal", 1)
    counts = {
        helped: [len(t.marks) for t in history if sum(t.choice[name] for name in "abc") == helped]
        for helped in (0, 3)
    }
    assert max(counts[3]) >= 32
    assert sum(counts[3]) / len(counts[3]) > sum(counts[0]) / len(counts[0])
