"""Optuna's samplers as strategies, and studies that Optuna reads."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from polyarch.compiler.space import Choice, Hole
from polyarch.search.aim import Aim
from polyarch.search.history import History
from polyarch.search.mark import Mark
from polyarch.search.strategy import Setting, strategy
from polyarch.search.strategy.sampled import Mirror, Sampled
from polyarch.search.trial import Trial

optuna = pytest.importorskip("optuna")

HOLES = (
    Hole("a", tuple(range(6))),
    Hole("b", low=1, high=6),
    Hole("c", (False, True)),
    Hole("d", low=0.5, high=2.0, when=(("c", 1),)),
)


class Space:
    holes = HOLES
    size = None
    first: Choice = {"a": 0, "b": 1, "c": 0}  # noqa: RUF012

    def valid(self, choice: Choice) -> str:
        return "" if set(choice) == {h.name for h in HOLES if h.exists(choice)} else "other holes"

    def random(self, rng: Random) -> Choice:
        choice: dict[str, int | float] = {"a": rng.randrange(6), "b": rng.randint(1, 6), "c": 0}
        return choice


AIMS = (Aim(), Aim(least="calls"))


def mark(choice: Choice) -> Mark:
    """More calls are better up to 5 of a, at one more for each of b."""
    score = 0.1 * float(choice["a"]) + 0.05 * float(choice["c"]) * float(choice.get("d", 0))
    return Mark(score, calls=1 + int(choice["a"]) * 2 + int(choice["b"]))


def tried(name: str, aims: tuple[Aim, ...], count: int, seed: int = 1) -> tuple[Sampled, History]:
    async def main() -> tuple[Sampled, History]:
        history = History(aims)
        made = strategy(name, Setting(Space(), aims, Random(seed), lambda choice: 1.0))  # type: ignore[arg-type]
        assert isinstance(made, Sampled)
        while len(history) < count:
            choice = await made.ask(history)
            assert choice is not None
            if choice in history:
                continue
            trial = Trial(len(history) + 1, choice, (mark(choice),) * 8, "done")
            history.add(trial)
            made.tell(trial)
        return made, history

    return asyncio.run(main())


@pytest.mark.parametrize("name", ["nsga2", "nsga3"])
def test_with_two_objectives_the_later_generations_are_nearer_to_the_front(name: str) -> None:
    gains = []
    for seed in range(4):
        _, history = tried(name, AIMS, 72, seed)
        worth = [trial.value(AIMS[0]) + 0.05 * trial.value(AIMS[1]) for trial in history]
        gains.append(sum(worth[-24:]) / 24 - sum(worth[:16]) / 16)
    assert sum(gains) / 4 > 0.02, gains


def test_tpe_is_multivariate_and_grouped() -> None:
    made, history = tried("tpe", (Aim(),), 40)
    sampler = made._study.sampler
    assert type(sampler).__name__ == "TPESampler"
    assert (sampler._multivariate, sampler._group) == (True, True)
    late = [trial.value(Aim()) for trial in history][-10:]
    assert sum(late) / 10 > 0.45


@pytest.mark.parametrize("where", ["journal", "sqlite"])
def test_optuna_loads_what_was_tried(tmp_path: Path, where: str) -> None:
    history = History(AIMS)
    mirror = Mirror(
        str(tmp_path / "a.journal") if where == "journal" else f"sqlite:///{tmp_path}/a.db",
        "small",
        HOLES,
        AIMS,
    )
    for number, a in enumerate((2, 4), start=1):
        choice: Choice = {"a": a, "b": 3, "c": 1, "d": 0.75}
        trial = Trial(number, choice, (mark(choice),) * 8)
        mirror(trial)
        history.add(trial.ended("done"))
        mirror(trial.ended("done"))
        mirror(trial.ended("done"))
    mirror(Trial(3, {"a": 0, "b": 1, "c": 0}, state="refused", why="too dear"))
    if where == "journal":
        backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "a.journal"))
        storage = optuna.storages.JournalStorage(backend)
    else:
        storage = f"sqlite:///{tmp_path}/a.db"
    study = optuna.load_study(study_name="small", storage=storage)
    assert [trial.values for trial in study.trials] == [
        [trial.value(aim) for aim in AIMS] for trial in history
    ]
    assert study.trials[1].params == {"a": "4", "b": 3, "c": "present", "d": 0.75}
    assert study.trials[1].user_attrs["questions"] == 8
    assert study.metric_names == ["score", "least calls"]
    assert len(study.best_trials) == 2
    again = Mirror(
        str(tmp_path / "a.journal") if where == "journal" else f"sqlite:///{tmp_path}/a.db",
        "small",
        HOLES,
        AIMS,
    )
    again(next(iter(history)))
    assert len(optuna.load_study(study_name="small", storage=storage).trials) == 2
