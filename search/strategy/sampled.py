"""Optuna's samplers. No other file knows Optuna.

The study is in memory, since Optuna's own SQLite storage takes longer than a trial is allowed to be
kept books of; what was tried is told to it again when a search goes on.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...compiler.errors import MissingPackage
from ...compiler.space import Choice, Hole
from ..aim import Aim
from ..history import History
from ..trial import Trial, key_of
from .base import Setting, Strategy

if TYPE_CHECKING:
    import optuna

__all__ = ["Mirror", "Sampled"]


class Sampled(Strategy):
    """Asks an Optuna sampler: `tpe`, `nsga2`, `nsga3` or `optuna_gp`.

    Raises `MissingPackage` without Optuna, and for `optuna_gp` without torch.
    """

    def __init__(self, setting: Setting, sampler: str = "tpe") -> None:
        super().__init__(setting)
        self._optuna = _optuna()
        self._study = self._optuna.create_study(
            directions=["maximize"] * len(self.aims), sampler=self._sampler(sampler)
        )
        self._told: set[str] = set()
        self._open: dict[str, optuna.Trial] = {}

    async def ask(self, history: History) -> Choice | None:
        """The sampler's next point, hole by hole; ones outside of the space are told to be bad."""
        for trial in history:
            if trial.key not in self._open and trial.state != "running":
                self.tell(trial)
        drawn = self._study.ask()
        made: dict[str, int | float] = {}
        for hole in self.space.holes:
            if hole.exists(made):
                made[hole.name] = _suggested(drawn, hole)
        if made in history or self.space.valid(made):
            self._study.tell(drawn, state=self._optuna.trial.TrialState.FAIL)
        else:
            self._open[key_of(made)] = drawn
        return made

    def tell(self, trial: Trial) -> None:
        """How a point did; what was refused or left early without a score failed."""
        if trial.key in self._told or self.space.valid(trial.choice):
            return
        self._told.add(trial.key)
        state = self._optuna.trial.TrialState
        drawn = self._open.pop(trial.key, None)
        values = [trial.value(aim) for aim in self.aims] if trial.asked else None
        if drawn is not None and values is None:
            self._study.tell(drawn, state=state.FAIL)
        elif drawn is not None:
            self._study.tell(drawn, values)
        elif values is not None:
            self._study.add_trial(_frozen(self._optuna, self.space.holes, trial, values))

    def _sampler(self, name: str) -> Any:
        with warnings.catch_warnings():
            # Optuna warns that grouping, NSGA-III and its Gaussian process may change.
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            return self._made(name, self.rng.randrange(1 << 31))

    def _made(self, name: str, seed: int) -> Any:
        samplers = self._optuna.samplers
        match name:
            case "tpe":
                return samplers.TPESampler(seed=seed, multivariate=True, group=True)
            case "optuna_gp":
                try:
                    import torch  # noqa: F401 -- Optuna fails late, and with another message
                except ImportError as error:
                    hint = "pip install torch, or use --strategy gp"
                    raise MissingPackage(f"optuna_gp needs torch: {hint}") from error
                return samplers.GPSampler(seed=seed)
            case "nsga2":
                return samplers.NSGAIISampler(seed=seed, population_size=16)
        return samplers.NSGAIIISampler(seed=seed, population_size=16)


class Mirror:
    """Writes trials into a study of Optuna's as they end, for optuna-dashboard: a journal file, or
    the URL of a database. Several processes may write into one.

    A trial is written once, as it ended: what the best are asked later is not in it. Raises
    `MissingPackage`.
    """

    def __init__(self, where: str, name: str, holes: tuple[Hole, ...], aims: Sequence[Aim]) -> None:
        self._optuna = _optuna()
        self._holes = holes
        self._aims = tuple(aims)
        storage: Any = where
        if "://" not in where:
            backend = self._optuna.storages.journal.JournalFileBackend(where)
            storage = self._optuna.storages.JournalStorage(backend)
        self._study = self._optuna.create_study(
            study_name=name,
            storage=storage,
            directions=["maximize"] * len(self._aims),
            load_if_exists=True,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            self._study.set_metric_names([str(aim) for aim in self._aims])
        self._written = {trial.user_attrs.get("key") for trial in self._study.trials}

    def __call__(self, trial: Trial) -> None:
        """Take a step of a trial in."""
        if trial.state not in ("done", "dropped", "costly") or not trial.asked:
            return
        if trial.key not in self._written:
            self._written.add(trial.key)
            values = [trial.value(aim) for aim in self._aims]
            made = _frozen(self._optuna, self._holes, trial, values)
            self._study.add_trial(_in_words(self._optuna, self._holes, made))


def _in_words(optuna: Any, holes: tuple[Hole, ...], trial: Any) -> Any:
    """A trial with options in words in the place of their numbers, for people."""
    params, kinds = dict(trial.params), dict(trial.distributions)
    for hole in holes:
        if hole.options and hole.name in params:
            words = [hole.told(place) for place in range(len(hole.options))]
            if len(set(words)) < len(words):
                words = [f"{place}: {word}" for place, word in enumerate(words)]
            params[hole.name] = words[int(params[hole.name])]
            kinds[hole.name] = optuna.distributions.CategoricalDistribution(words)
    return optuna.trial.create_trial(
        params=params, distributions=kinds, values=trial.values, user_attrs=trial.user_attrs
    )


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        hint = "pip install 'polyarch[search]'"
        raise MissingPackage(f"Optuna's strategies need Optuna: {hint}") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _suggested(drawn: optuna.Trial, hole: Hole) -> int | float:
    if hole.options:
        return int(drawn.suggest_categorical(hole.name, list(range(len(hole.options)))))
    low, high = hole.low or 0, hole.high or 0
    if isinstance(low, int) and isinstance(high, int):
        return drawn.suggest_int(hole.name, low, high, log=hole.log)
    return drawn.suggest_float(hole.name, float(low), float(high), log=hole.log)


def _frozen(optuna: Any, holes: tuple[Hole, ...], trial: Trial, values: list[float]) -> Any:
    """A trial as Optuna keeps it."""
    kinds = optuna.distributions
    known: dict[str, Any] = {}
    for hole in holes:
        if hole.name not in trial.choice:
            continue
        low, high = hole.low or 0, hole.high or 0
        if hole.options:
            known[hole.name] = kinds.CategoricalDistribution(list(range(len(hole.options))))
        elif isinstance(low, int) and isinstance(high, int):
            known[hole.name] = kinds.IntDistribution(low, high, log=hole.log)
        else:
            known[hole.name] = kinds.FloatDistribution(float(low), float(high), log=hole.log)
    return optuna.trial.create_trial(
        params=dict(trial.choice),
        distributions=known,
        values=values,
        user_attrs={
            "key": trial.key,
            "questions": len(trial.marks),
            "state": trial.state,
            "paid": trial.paid,
        },
    )
