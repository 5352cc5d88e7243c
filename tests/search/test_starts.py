"""Where a search starts: good pipelines, earlier studies, and tasks like this one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import mean

import pytest
from searched import VOTES, Counting, search, space

from polyarch.compiler.errors import InputError
from polyarch.compiler.space import Choice, parse_space
from polyarch.evaluation.data import Item
from polyarch.search.aim import Aim
from polyarch.search.database import database
from polyarch.search.history import History
from polyarch.search.mark import Mark
from polyarch.search.memory import Memory, Task, nearness, setting_of, task_of
from polyarch.search.start import from_pipelines, from_studies
from polyarch.search.strategy import Setting, strategy
from polyarch.search.trial import Trial

GOOD = """\
name: known_good
answer: number
models: {other: {model: scripted/x, max_draws: 1, price: {prompt: 1, completion: 1}}}
steps:
  several: {op: generate, n: 5, temperature: 0.5}
  most: {op: vote}
"""


def test_a_good_pipeline_is_the_first_point_tried(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (point,) = from_pipelines(space(), [str(tmp_path / "good.yaml")])
    assert dict(space().told(point)) == {"drafts.n": "5", "drafts.temperature": "0.5"}
    found = search(tmp_path / "out", Counting().backend, warm=(point,), strategy="random", trials=2)
    assert min(found.trials, key=lambda t: t.number).choice == point
    (started,) = found.started
    assert (started.trial, started.of) == (1, 2)


def test_a_pipeline_that_is_no_point_is_refused_with_the_step(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD.replace("n: 5", "n: 7"))
    told = r"known_good is no point of small: step 'several' \(generate\): n is 7, and the space"
    with pytest.raises(InputError, match=told):
        from_pipelines(space(), [str(tmp_path / "good.yaml")])
    with pytest.raises(InputError, match='did you mean "self_consistency"'):
        from_pipelines(space(), ["self_consistancy"])


def test_the_best_of_an_earlier_study_are_tried_first(tmp_path: Path) -> None:
    earlier = search(tmp_path / "earlier", Counting().backend, trials=None)
    points = from_studies(space(), str(tmp_path / "earlier"), 3)
    assert points == [trial.choice for trial in earlier.trials[:3]]


def test_points_of_another_space_are_found_in_this_one(tmp_path: Path) -> None:
    other = VOTES.replace("[3, 2, 5]", "[2, 5, 9]").replace("name: small", "name: other")
    search(tmp_path / "other", Counting().backend, text=other, trials=None)
    points = from_studies(space(), str(tmp_path / "other"), 9)
    assert {dict(space().told(point))["drafts.n"] for point in points} == {"2", "5"}
    assert len(points) == 4
    apart = parse_space(VOTES.replace("[3, 2, 5]", "[7, 8]"), Path())
    with pytest.raises(InputError, match="none of the best points of other"):
        from_studies(apart, str(tmp_path / "other"))


def test_a_folder_without_a_search_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no record of a search"):
        from_studies(space(), str(tmp_path))


TABLE = """\
name: table
answer: number
models: {m: scripted/x}
steps:
  drafts:
    op: generate
    n: {choose: [2, 3, 4, 5, 6, 7]}
    temperature: {choose: [0.1, 0.3, 0.5, 0.7, 0.9]}
  answer: {choose: [{op: vote}, {op: vote, stop_at: exact}]}
"""


def _items(words: str, count: int = 40) -> list[Item]:
    return [Item(f"i{n}", f"{words} {n}", "1") for n in range(count)]


SHOPS = "Ann buys 3 boxes of pens in a shop and pays for"
CODE = "Write a function def solve(xs: list[int]) -> int: return the longest prefix; see class"


def _task(words: str) -> Task:
    answer, models = setting_of(TABLE)
    return task_of(_items(words), answer, "numeric", models)


def test_how_alike_tasks_are() -> None:
    shops, more = _task(SHOPS), _task("Bob buys 5 bags of pens in a shop and pays for all")
    assert nearness(shops, shops) == pytest.approx(1.0)
    assert nearness(shops, more) > 0.6
    assert nearness(shops, _task(CODE)) < 0.3
    assert Task.of(shops.record()).answer == shops.answer


def test_the_models_of_a_space_are_told() -> None:
    assert setting_of(TABLE) == ('"number"', ("scripted/x",))


Value = Callable[[Choice], float]


def _surface(dice: Random) -> dict[str, float]:
    table = parse_space(TABLE, Path())
    return {str(sorted(point.items())): dice.random() for point in table.points()}


def _near(surface: dict[str, float], dice: Random) -> dict[str, float]:
    return {key: value + dice.gauss(0, 0.01) for key, value in surface.items()}


def _tried(values: dict[str, float], first: list[Choice], seed: int) -> int:
    """How many trials it takes to reach 99% of the best."""
    table = parse_space(TABLE, Path())
    best = max(values.values())

    async def main() -> int:
        history = History((Aim(),))
        setting = Setting(table, history.aims, Random(seed), lambda choice: 1.0)
        made, coming = strategy("random", setting), list(first)
        while True:
            choice = coming.pop(0) if coming else await made.ask(history)
            assert choice is not None
            if choice in history:
                continue
            value = values[str(sorted(choice.items()))]
            history.add(Trial(len(history) + 1, choice, (Mark(value),) * 8, "done"))
            if value >= 0.99 * best:
                return len(history)

    return asyncio.run(main())


def _remembered(where: Path, values: dict[str, float], words: str) -> list[Choice]:
    """What a memory of a task with these values says of a task with these words."""
    table = parse_space(TABLE, Path())
    opened = database(where)
    ranked = sorted(table.points(), key=lambda p: -values[str(sorted(p.items()))])
    told = [(table.close(p).text, values[str(sorted(p.items()))], 60) for p in ranked]
    Memory(opened).remember("shops", _task(SHOPS), told, Path())
    points = Memory(opened).points(_task(words), table)
    opened.close()
    return [choice for choice, _ in points]


def test_related_tasks_need_fewer_trials_and_unrelated_ones_lose_little(tmp_path: Path) -> None:
    cold, warm, misled, apart = [], [], [], []
    for seed in range(12):
        dice = Random(seed)
        earlier = _surface(dice)
        related, other = _near(earlier, dice), _surface(dice)
        first = _remembered(tmp_path / f"{seed}.db", earlier, SHOPS + " each")
        assert len(first) == 5
        cold.append(_tried(related, [], seed))
        warm.append(_tried(related, first, seed))
        # A task that looks alike and is not: all that is tried first may be for nothing.
        misled.append(_tried(other, first, seed) - _tried(other, [], seed))
        apart += _remembered(tmp_path / f"{seed}.db", earlier, CODE)
    assert mean(warm) < mean(cold) / 4
    assert mean(misled) <= 5
    assert apart == []


def test_a_search_adds_to_the_memory_and_the_next_one_starts_from_it(tmp_path: Path) -> None:
    import json

    import polyarch

    text = VOTES.replace(
        "model: scripted/x,", 'model: scripted/x, options: {replies: [{texts: ["answer: 4"]}]},'
    ).replace("options: {replies: [{texts: [", "options: {replies: [{cycle: true, texts: [")
    (tmp_path / "space.yaml").write_text(text)
    rows = [{"id": f"q{n}", "question": f"{n} and 2?", "reference": "4"} for n in range(40)]
    lines = [json.dumps(row | {"metric": "numeric"}) for row in rows]
    (tmp_path / "data.jsonl").write_text("\n".join(lines))
    given = {"memory": str(tmp_path / "memory.db"), "test": 0}
    where = (tmp_path / "space.yaml", str(tmp_path / "data.jsonl"))
    first = polyarch.search(*where, trials=3, out=tmp_path / "one", **given)
    assert first.started == ()
    second = polyarch.search(*where, trials=3, out=tmp_path / "two", seed=5, **given)
    assert {one.source for one in second.started} == {"from the task small, 1.00 alike"}
    assert len(second.started) == 3
