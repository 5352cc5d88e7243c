"""A study of settings: measure many once, the fastest again in turn with the settings as they were.

Throughput over settings is irregular, with peaks, and changes with the machine (The Impact of
Hyperparameters on Large Language Model Inference Performance, 2024). So nothing is interpolated or
left out for its neighbours' sake: small spaces are measured whole, of larger ones as many as there
is time for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from ...compiler.errors import InputError
from ...compiler.machine import Machine
from ...compiler.profile import Profile, Rate
from ...compiler.space import Choice
from ..aim import Aim
from ..history import History
from ..mark import Mark
from ..strategy import Setting, strategy
from ..trial import Trial, key_of
from .load import Job, Load
from .measuring import Failed, Measures
from .settings import Settings

__all__ = ["Tuned", "Tuning", "tune"]

_FINALISTS = 3


@dataclass(frozen=True)
class Tuning:
    """What is to be done. Settings that are measured at most, `seconds` after which none is begun,
    how often the fastest are measured again, and where measurements are kept.

    `start` are the options as they are, under every setting tried.
    """

    settings: Settings
    load: Load
    model: str
    machine: Machine
    trials: int = 64
    seconds: float | None = None
    repeats: int = 3
    strategy: str = "tpe"
    seed: int = 0
    kept: Path | None = None


@dataclass(frozen=True)
class Tuned:
    """The outcome: the profile, every measured setting with its rate, fastest first, and those that
    did not work with the reason."""

    profile: Profile
    rates: tuple[tuple[Mapping[str, Any], float], ...]
    failed: tuple[tuple[Mapping[str, Any], str], ...]
    why: str


class _NoBank:
    """The bank of a search that draws nothing: every setting costs a measurement."""

    def lineage(self, choice: Choice) -> None:
        return None

    def held(self, origin: str) -> float:
        return 0.0


@dataclass
class _Study:
    tuning: Tuning
    measure: Measures
    watch: Callable[[Mapping[str, Any], float | str], None]
    history: History = field(default_factory=lambda: History((Aim(),)))
    failed: dict[str, tuple[Choice, str]] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    async def rate(self, choice: Choice | None) -> float:
        """The rate of a setting, or of the options as they are. Raises `Failed`."""
        settings, load = self.tuning.settings, self.tuning.load
        if choice is None:
            return await self.measure(Job(load, {}), {})
        job = Job(load, settings.options(choice))
        return await self.measure(job, settings.environment(choice))

    async def explore(self) -> str:
        """Measure settings until all are, or enough, or time is over; why it ended."""
        tuning = self.tuning
        rng = Random(tuning.seed)
        setting = Setting(tuning.settings, self.history.aims, rng, _NoBank())
        whole = tuning.settings.size <= tuning.trials
        made = strategy("grid" if whole else tuning.strategy, setting)
        while len(self.history) + len(self.failed) < min(tuning.trials, tuning.settings.size):
            if self._over():
                return "the time is over"
            choice = await made.ask(self.history)
            if choice is None:
                break
            if choice in self.history or key_of(choice) in self.failed:
                # What was measured before this began, or does not work here.
                choice = self._unseen(rng)
            made.tell(await self._tried(choice))
        count = len(self.history) + len(self.failed)
        return "all settings were measured" if whole else f"{count} settings were measured"

    def _over(self) -> bool:
        limit = self.tuning.seconds
        return limit is not None and time.monotonic() - self.began > limit

    def _unseen(self, rng: Random) -> Choice:
        while True:
            choice = self.tuning.settings.random(rng)
            if choice not in self.history and key_of(choice) not in self.failed:
                return choice

    async def _tried(self, choice: Choice) -> Trial:
        number = len(self.history) + len(self.failed) + 1
        try:
            trial = Trial(number, choice, (Mark(await self.rate(choice)),), "done")
            self.history.add(trial)
            told: float | str = trial.value(Aim())
        except Failed as error:
            trial = Trial(number, choice, state="refused", why=str(error))
            self.failed[trial.key] = (choice, str(error))
            told = str(error)
        self._keep(choice, told)
        self.watch(self.tuning.settings.values(choice), told)
        return trial

    def _keep(self, choice: Choice, told: float | str) -> None:
        if self.tuning.kept is not None:
            with self.tuning.kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps([dict(choice), told]) + "\n")

    def take_up(self) -> None:
        """Go on with measurements that were kept. Raises `InputError` for those of other settings,
        another load or another machine."""
        kept = self.tuning.kept
        if kept is None:
            return
        tuning = self.tuning
        head = {
            "model": tuning.model,
            "load": tuning.load.digest,
            "machine": tuning.machine.model_dump(mode="json"),
            "settings": [[hole.name, list(hole.options)] for hole in tuning.settings.holes],
        }
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(head) + "\n", encoding="utf-8")
            return
        text = kept.read_text(encoding="utf-8")
        if not text.endswith("\n"):
            # A line was cut off: the next one begins after it.
            kept.write_text(text + "\n", encoding="utf-8")
        first, *lines = text.splitlines() or [""]
        if json.loads(first or "{}") != head:
            told = "holds measurements of another model, load, machine, or of other settings"
            raise InputError(f"{kept} {told}: remove it, or write to another file with --out")
        for line in lines:
            if not line.endswith("]"):
                continue  # it was cut off
            choice, rate = json.loads(line)
            number = len(self.history) + len(self.failed) + 1
            if isinstance(rate, str):
                self.failed[key_of(choice)] = (choice, rate)
            else:
                self.history.add(Trial(number, choice, (Mark(rate),), "done"))

    async def confirm(self) -> tuple[Choice | None, Rate, Rate, Rate]:
        """The fastest by medians of several measurements in turn with the options as they are: its
        rate, theirs, and how many times as fast. None where those options are the fastest."""
        entered = self.history.ranked()[:_FINALISTS]
        rates: dict[str, list[float]] = {trial.key: [] for trial in entered}
        plain: list[float] = []
        for _ in range(self.tuning.repeats):
            plain.append(await self.rate(None))
            for trial in entered:
                rates[trial.key].append(await self.rate(trial.choice))
        best = max(entered, key=lambda trial: median(rates[trial.key]))
        won = rates[best.key]
        if median(won) <= median(plain):
            return None, _rate(plain), _rate(plain), _rate([1.0])
        ratios = [a / b for a, b in zip(won, plain, strict=True)]
        return best.choice, _rate(won), _rate(plain), _rate(ratios)


async def tune(
    tuning: Tuning,
    measure: Measures,
    watch: Callable[[Mapping[str, Any], float | str], None] = lambda values, told: None,
) -> Tuned:
    """Find the settings with which a model writes most tokens a second under a load.

    `watch` is told of every measurement. Raises `Failed` where the options as they are do not work,
    and `InputError` where none of the settings does.
    """
    study = _Study(tuning, measure, watch)
    study.take_up()
    why = await study.explore()
    settings = tuning.settings
    if not len(study.history):
        _, first = next(iter(study.failed.values()), ({}, "no time to measure one"))
        raise InputError(f"none of {len(study.failed)} settings works here; the first: {first}")
    choice, rate, plain, ratio = await study.confirm()
    found = Profile(
        made=time.strftime("%Y-%m-%d", time.gmtime()),
        model=tuning.model,
        options={} if choice is None else settings.options(choice),
        environment={} if choice is None else settings.environment(choice),
        machine=tuning.machine,
        load=tuning.load.digest,
        about=f"{len(tuning.load.questions)} questions, {tuning.load.concurrency} at once",
        measured=len(study.history),
        rate=rate,
        plain=plain,
        ratio=ratio,
    )
    ranked = sorted(study.history, key=lambda trial: -trial.value(Aim()))
    rates = tuple((settings.values(trial.choice), trial.value(Aim())) for trial in ranked)
    failed = tuple((settings.values(choice), told) for choice, told in study.failed.values())
    return Tuned(found, rates, failed, why)


def _rate(values: list[float]) -> Rate:
    return Rate(median=median(values), least=min(values), most=max(values))
