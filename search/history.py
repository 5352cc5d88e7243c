"""What was tried so far, and how good each point is likely to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..compiler.space import Choice, Hole
from .aim import Aim
from .belief import Belief
from .encoding import Encoding
from .gaussian import Reach
from .trial import Trial, key_of

__all__ = ["Effect", "History"]

_PRIOR = 16.0
"""As many questions of being average does every trial begin with: the more were asked, the less
they count. A trial that was lucky on few questions so does not lead."""

_ROUNDS = 6

_BELIEVED = 6
"""Trials from which on they tell of one another."""
_GROWN = 1.25
"""How far trials tell of one another is estimated anew when there are so many times as many."""


class Effect:
    """How much better than the others a trial is, and the variance of saying so."""

    __slots__ = ("shrunk", "value", "variance")

    def __init__(self, value: float, shrunk: float, variance: float) -> None:
        self.value = value
        self.shrunk = shrunk
        self.variance = variance


class History:
    """The trials of a study by choice. Later ones replace earlier states of the same.

    With the `holes` of the space, trials are ranked by what is expected of them given all others.
    """

    def __init__(
        self, aims: Sequence[Aim], trials: Sequence[Trial] = (), holes: Sequence[Hole] = ()
    ) -> None:
        self.aims = tuple(aims)
        self._encoding = Encoding(holes) if holes else None
        self._beliefs: dict[Aim, Belief] = {}
        self._reaches: dict[Aim, tuple[int, Reach]] = {}
        self._trials: dict[str, Trial] = {}
        self._effects: dict[Aim, dict[str, Effect]] = {}
        self._rows: dict[tuple[str, Aim], NDArray[np.float64]] = {}
        for trial in trials:
            self.add(trial)

    def add(self, trial: Trial) -> None:
        """Take in a trial, or a later state of one."""
        known = self._trials.get(trial.key)
        self._trials[trial.key] = trial
        if trial.marks and (known is None or len(known.marks) != len(trial.marks)):
            self._effects, self._beliefs = {}, {}

    def __contains__(self, choice: Choice) -> bool:
        return key_of(choice) in self._trials

    def knows(self, key: str) -> bool:
        """Whether a choice was tried, by its key."""
        return key in self._trials

    def __iter__(self) -> Iterator[Trial]:
        return iter(list(self._trials.values()))

    def __len__(self) -> int:
        return len(self._trials)

    def get(self, choice: Choice) -> Trial | None:
        """The trial of a choice."""
        return self._trials.get(key_of(choice))

    @property
    def asked(self) -> list[Trial]:
        """The trials that answered anything."""
        return [trial for trial in self._trials.values() if trial.asked]

    def ranked(self, aim: Aim | None = None) -> list[Trial]:
        """The trials that answered anything and are within the cost allowed, the likely best
        first."""
        worth = self.worth(aim or self.aims[0])
        allowed = [trial for trial in self.asked if trial.state != "costly"]
        return sorted(allowed, key=lambda t: (-worth[t.key], t.number))

    @property
    def leader(self) -> Trial | None:
        """The likely best trial by the first objective."""
        ranked = self.ranked()
        return ranked[0] if ranked else None

    @property
    def front(self) -> list[Trial]:
        """The trials that no other is likely to beat in every objective, best score first."""
        ranked = self.ranked()
        if len(self.aims) == 1:
            return ranked[:1]
        tables = [self.worth(aim) for aim in self.aims]
        points = {t.key: tuple(table[t.key] for table in tables) for t in ranked}
        return [t for t in ranked if not any(_beats(p, points[t.key]) for p in points.values())]

    def mean(self, trial: Trial, aim: Aim) -> float:
        """The plain mean of what a trial was measured to be worth; minus infinity of nothing."""
        row = self._row(trial, aim)
        known = row[~np.isnan(row)]
        return float(known.mean()) if len(known) else float("-inf")

    def worth(self, aim: Aim) -> dict[str, float]:
        """By choice, what is expected of each trial: by all trials where enough are known."""
        belief = self.belief(aim)
        if belief is not None:
            return belief.expected
        return {key: effect.shrunk for key, effect in self.effects(aim).items()}

    def belief(self, aim: Aim) -> Belief | None:
        """What trials tell of any point; None before enough of them are known."""
        if aim not in self._beliefs:
            trials = self.asked
            if self._encoding is None or len(trials) < _BELIEVED:
                return None
            effects = self.effects(aim)
            values = {key: (told.value, told.variance) for key, told in effects.items()}
            count, reach = self._reaches.get(aim, (0, None))
            kept = reach if len(trials) < _GROWN * count else None
            made = self._beliefs[aim] = Belief(self._encoding, trials, values, kept)
            self._reaches[aim] = (count if kept else len(trials), made.reach)
        return self._beliefs[aim]

    def effects(self, aim: Aim) -> dict[str, Effect]:
        """By choice, how good each trial is beside how hard its questions were.

        Values are taken apart into one part for the trial and one for the question, so that trials
        are comparable that were asked different numbers of questions.
        """
        if aim not in self._effects:
            trials = self.asked
            rows = [self._row(trial, aim) for trial in trials]
            self._effects[aim] = _effects([trial.key for trial in trials], rows)
        return self._effects[aim]

    def _row(self, trial: Trial, aim: Aim) -> NDArray[np.float64]:
        """The values of a trial, not a number where there are none."""
        row = self._rows.get((trial.key, aim))
        if row is None or len(row) != len(trial.marks):
            told = [np.nan if v is None else v for v in aim.over(trial.marks)]
            row = self._rows[trial.key, aim] = np.asarray(told)
        return row


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))


def _effects(keys: Sequence[str], rows: Sequence[NDArray[np.float64]]) -> dict[str, Effect]:
    if not keys:
        return {}
    width = max(map(len, rows))
    values = np.full((len(keys), width), np.nan)
    for place, row in enumerate(rows):
        values[place, : len(row)] = row
    known = ~np.isnan(values)
    values = np.where(known, values, 0.0)
    counts, asked = known.sum(axis=1), np.maximum(1, known.sum(axis=0))
    trial_part = np.zeros(len(keys))
    question_part = np.zeros(width)
    for _ in range(_ROUNDS):
        question_part = np.where(known, values - trial_part[:, None], 0.0).sum(axis=0) / asked
        left = np.where(known, values - question_part[None, :], 0.0).sum(axis=1)
        trial_part = left / (counts + _PRIOR)
    residual = np.where(known, values - question_part[None, :] - trial_part[:, None], 0.0)
    noise = float((residual**2).sum() / max(1, known.sum())) or 1e-6
    plain = left / np.maximum(1, counts)
    level = float(question_part.mean())
    return {
        key: Effect(
            level + float(plain[place]),
            level + float(trial_part[place]),
            noise / max(1, int(counts[place])),
        )
        for place, key in enumerate(keys)
    }
