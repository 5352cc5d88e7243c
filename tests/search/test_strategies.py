"""Every strategy on a table of points: it finds what can be found, and stays within the space."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from polyarch.compiler.errors import InputError, MissingPackage
from polyarch.compiler.space import Choice, Hole
from polyarch.search.aim import Aim
from polyarch.search.history import History
from polyarch.search.lineage import Lineage
from polyarch.search.mark import Mark
from polyarch.search.strategy import STRATEGIES, Setting, strategy
from polyarch.search.trial import Trial, key_of

HOLES = (
    Hole("a", (0, 1, 2)),
    Hole("b", low=1, high=6),
    Hole("c", (False, True)),
    Hole("d", (0, 1, 2), when=(("c", 1),)),
)


class Small:
    """3 × 6 × (1 + 3) points, less 4 that break a rule."""

    holes = HOLES
    size = 68

    @property
    def first(self) -> Choice:
        return {"a": 0, "b": 1, "c": 0}

    def valid(self, choice: Choice) -> str:
        wanted = {hole.name for hole in HOLES if hole.exists(choice)}
        if set(choice) != wanted:
            return "other holes"
        return "a and b are both largest" if (choice["a"], choice["b"]) == (2, 6) else ""

    def random(self, rng: Random) -> Choice:
        return rng.choice(list(self.points()))

    def points(self) -> Iterator[Choice]:
        for a, b, c, d in itertools.product(range(3), range(1, 7), range(2), range(3)):
            choice = {"a": a, "b": b, "c": c} | ({"d": d} if c else {})
            if (c or d == 0) and not self.valid(choice):
                yield choice


class Nothing:
    """A bank that holds nothing, of points that draw once."""

    def lineage(self, choice: Choice) -> Lineage:
        return Lineage({"answer": (key_of(choice), 1.0)})

    def held(self, origin: str) -> float:
        return 0.0


def value(choice: Choice) -> float:
    """Best at a = 1, b = 5, c = 1, d = 2."""
    return (
        0.3 * (choice["a"] == 1)
        + 0.2 * (1 - abs(choice["b"] - 5) / 5)
        + 0.2 * choice["c"]
        + 0.3 * (choice.get("d") == 2)
    )


def searched(name: str, seed: int, trials: int = 30, **arguments: Any) -> History:
    async def main() -> History:
        history = History((Aim(),))
        setting = Setting(Small(), history.aims, Random(seed), Nothing())
        made = strategy(name, setting, arguments)
        number = 0
        for _ in range(trials * 4):
            choice = None if number == trials else await made.ask(history)
            if choice is None:
                break
            if choice in history or Small().valid(choice):
                continue
            number += 1
            trial = Trial(number, choice, (Mark(value(choice)),) * 20, "done")
            history.add(trial)
            made.tell(trial)
        return history

    return asyncio.run(main())


@pytest.mark.parametrize("name", ["frugal", "gp", "greedy", "tpe", "nsga2", "halving", "reinforce"])
def test_it_finds_more_than_chance(name: str) -> None:
    found = [max(t.value(Aim()) for t in searched(name, seed)) for seed in range(4)]
    assert sum(found) / 4 > 0.88, found


@pytest.mark.parametrize("name", ["frugal", "random", "tpe", "halving", "reinforce"])
def test_equal_seeds_give_equal_searches(name: str) -> None:
    one, other = (list(searched(name, 5, trials=12)) for _ in range(2))
    assert [t.choice for t in one] == [t.choice for t in other]


def test_the_grid_goes_through_every_point_once() -> None:
    history = searched("grid", 0, trials=100)
    assert len(history) == len(list(Small().points())) == 68


def test_what_no_strategy_knows_is_told() -> None:
    setting = Setting(Small(), (Aim(),), Random(0), Nothing())
    with pytest.raises(InputError, match="frugal"):
        strategy("frugl", setting)
    with pytest.raises(InputError, match="does not take"):
        strategy("random", setting, {"width": 2})
    assert set(STRATEGIES) >= {"frugal", "gp", "tpe"}


def test_optuna_s_gaussian_process_says_what_it_lacks() -> None:
    try:
        import torch  # noqa: F401
    except ImportError:
        setting = Setting(Small(), (Aim(),), Random(0), Nothing())
        with pytest.raises(MissingPackage, match="torch"):
            strategy("optuna_gp", setting)
