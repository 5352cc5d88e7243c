"""Strategies that believe in each hole by itself: what they solve, and what they cannot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from itertools import product
from random import Random
from statistics import mean
from typing import Any

import pytest

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.space import Choice, Hole
from polyarch.search.aim import Aim
from polyarch.search.history import History
from polyarch.search.mark import Mark
from polyarch.search.strategy import Setting, strategy
from polyarch.search.strategy.agent import Agent
from polyarch.search.strategy.base import Strategy
from polyarch.search.strategy.beliefs import Beliefs, parts
from polyarch.search.trial import Trial

COUNT = 8


class Switches:
    """Eight steps that are there or not."""

    holes = tuple(Hole(f"s{n}", (False, True)) for n in range(COUNT))
    size = 1 << COUNT
    first: Choice = {hole.name: 0 for hole in holes}  # noqa: RUF012

    def valid(self, choice: Choice) -> str:
        return ""

    def random(self, rng: Random) -> Choice:
        return {hole.name: rng.randrange(2) for hole in self.holes}

    def points(self) -> Iterator[Choice]:
        for told in product(range(2), repeat=COUNT):
            yield {hole.name: value for hole, value in zip(self.holes, told, strict=True)}


def additive(choice: Choice) -> float:
    """Every second step helps, the others hurt."""
    return 0.5 + sum((0.06 if n % 2 else -0.06) * choice[f"s{n}"] for n in range(COUNT))


def together(choice: Choice) -> float:
    """The steps help if all of them are there; fewer of them hurt, and the more the more."""
    count = sum(choice[f"s{n}"] for n in range(COUNT))
    return 1.0 if count == COUNT else 0.8 * (COUNT - 1 - count) / (COUNT - 1)


def exclusive(choice: Choice) -> float:
    """Steps help in pairs: one of two alone is as good as the other, both or none is nothing."""
    return mean(choice[f"s{n}"] != choice[f"s{n + 1}"] for n in range(0, COUNT, 2))


def learned(
    name: str, value: Callable[[Choice], float], seed: int, trials: int = 120, **more: Any
) -> tuple[Strategy, History]:
    """A strategy after so many trials."""

    async def main() -> tuple[Strategy, History]:
        history = History((Aim(),))
        made = strategy(name, Setting(Switches(), history.aims, Random(seed), lambda c: 1.0), more)
        for number in range(trials):
            choice = await made.ask(history)
            assert choice is not None
            trial = Trial(number, choice, (Mark(value(choice)),) * 16, "done")
            history.add(trial)
            made.tell(trial)
        return made, history

    return asyncio.run(main())


def _expected(made: Any, value: Callable[[Choice], float], draws: int = 200) -> float:
    """The mean value of what its beliefs give."""
    dice = Random(0)
    return mean(value(made.beliefs.draw(dice)) for _ in range(draws))


def test_what_adds_up_is_solved() -> None:
    ends = [_expected(learned("reinforce", additive, seed)[0], additive) for seed in range(5)]
    best, even = additive({f"s{n}": n % 2 for n in range(COUNT)}), 0.5
    assert all(end > even + 0.8 * (best - even) for end in ends), ends


def test_what_holes_do_together_misleads_beliefs_of_each() -> None:
    ends = [_expected(learned("reinforce", together, seed)[0], together) for seed in range(5)]
    assert together(dict.fromkeys((f"s{n}" for n in range(COUNT)), 1)) == 1.0
    assert max(ends) < 0.85, ends


def test_where_only_pairs_matter_beliefs_of_each_learn_later() -> None:
    """No step is better than its absence by itself, so there is nothing to go by until chance has
    moved the beliefs of one of a pair."""
    adds = [_expected(learned("reinforce", additive, seed, 12)[0], additive) for seed in range(8)]
    pairs = [
        _expected(learned("reinforce", exclusive, seed, 12)[0], exclusive) for seed in range(8)
    ]
    best = additive({f"s{n}": n % 2 for n in range(COUNT)})
    assert (mean(pairs) - 0.5) / 0.5 < (mean(adds) - 0.5) / (best - 0.5)


@pytest.mark.parametrize(
    ("hole", "told"),
    [
        (Hole("a", ("x", "y")), ["x", "y"]),
        (Hole("a", low=2, high=4), ["2", "3", "4"]),
    ],
)
def test_parts_of_a_hole(hole: Hole, told: list[str]) -> None:
    assert parts(hole) == told


@pytest.mark.parametrize(
    "hole", [Hole("a", low=1, high=100), Hole("a", low=0.01, high=10.0, log=True)]
)
def test_a_range_is_believed_in_part_by_part(hole: Hole) -> None:
    class Alone(Switches):
        holes = (hole,)

    beliefs, dice = Beliefs(Alone()), Random(2)
    for _ in range(60):
        drawn = beliefs.draw(dice)
        assert not hole.wrong(drawn["a"])
        beliefs.reward(drawn, 0.5 if drawn["a"] > 4 else -0.5)
    assert mean(beliefs.draw(dice)["a"] > 4 for _ in range(100)) > 0.9


def _told(request: Request, draw: Draw) -> str:
    """Reads the prompt as a model should: what was present in the best is made probable."""
    prompt = request.messages[-1].text
    best = prompt.split("The best so far:")[1].splitlines()[2]
    chosen = json.loads(best[best.index("{") :])
    told = {name: [0.1, 0.9] if on == "present" else [0.9, 0.1] for name, on in chosen.items()}
    return f"Pairs seem to help.\n```json\n{json.dumps(told)}\n```"


def test_an_agent_moves_the_probabilities_by_what_it_says() -> None:
    backend = Scripted(_told)
    made, history = learned("agent", additive, 3, 60, model="scripted/x", backend=backend)
    assert isinstance(made, Agent)
    assert made.calls == backend.log.asked > 8
    assert made.unread == 0
    assert made.feedback == ["Pairs seem to help."] * 3
    assert _expected(made, additive) > 0.6
    assert max(trial.value(Aim()) for trial in history) > 0.65


def test_what_an_agent_says_that_cannot_be_read_moves_nothing_and_is_counted() -> None:
    said = [
        "no idea",
        '{"s0": [1]}',
        '{"s0": [-1, 2], "s1": "high", "nowhere": [1, 1]}',
        '{"s0": [0, 0]}',
        "[1, 2]",
    ]
    seen: list[Request] = []

    def reply(request: Request, draw: Draw) -> str:
        seen.append(request)
        return said[(len(seen) - 1) % len(said)]

    backend = Scripted(reply)
    made, _ = learned("agent", additive, 3, 60, model="scripted/x", backend=backend)
    assert isinstance(made, Agent)
    assert made.unread == made.calls == len(seen) > 8
    # The rewards alone have moved it.
    assert _expected(made, additive) > 0.55


def test_an_agent_never_makes_anything_impossible() -> None:
    beliefs = Beliefs(Switches())
    for _ in range(50):
        beliefs.blend({"s0": [0.0, 1.0]}, rate=0.5, least=0.1)
    assert beliefs.shares("s0")[0] == pytest.approx(0.05, rel=0.1)
