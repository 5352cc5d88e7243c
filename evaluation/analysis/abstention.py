"""How many draws and how sure an answer must be, chosen together: what errors cost decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..intervals import Interval
from .coverage import Floats
from .decided import Decided
from .halves import halves

__all__ = ["Abstention", "Chosen", "Covered", "abstention"]

_ASSUMES = (
    "draws of a question are independent and alike; sets of n of them stand for new ones",
    "a right answer is worth 1, a wrong one costs the penalty, one withheld nothing",
    "what is chosen on one half of the questions is told of the other",
)

_FINEST = 64
"""Thresholds tried, at most; where there are more values, quantiles of them."""


@dataclass(frozen=True, slots=True)
class Covered:
    """What is answered with so many `draws` by confidences of at least `threshold`, and the `risk`
    that one of these is wrong; None where nothing is."""

    draws: int
    threshold: float
    coverage: float
    risk: float | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Draws and threshold for a `penalty`, chosen on one half, and their worth on the other.

    `joint` is the best pair; `separate` takes the draws that are best when all is answered and no
    error costs anything, and then the best threshold for these; `gain` is what the pair has over
    it, question by question. `always` answers all with the draws of `separate`. A threshold of
    infinity withholds everything.
    """

    penalty: float
    joint: tuple[int, float]
    separate: tuple[int, float]
    utility: Interval
    apart: Interval
    always: Interval
    gain: Interval


@dataclass(frozen=True, slots=True)
class Abstention:
    """Risk and coverage over numbers of draws and thresholds, and the best of both for each
    penalty. `cost` is that of a draw, where a right answer is worth 1."""

    curve: tuple[Covered, ...]
    chosen: tuple[Chosen, ...]
    cost: float
    items: int
    assumes: tuple[str, ...] = _ASSUMES


def abstention(
    found: Decided,
    *,
    penalties: Sequence[float] = (0.0, 1.0, 20.0),
    cost: float = 0.0,
    points: int = 5,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Abstention:
    """Sweep draws and threshold together; the curve has so many `points` for each number of draws.

    Is That Your Final Answer? Test-Time Scaling Improves Selective Question Answering (Jurayj et
    al., 2025), for thinking budgets. Raises ValueError for fewer than two questions, for a cost or
    a penalty below 0, and where nothing is answered.
    """
    if len(found.items) < 2 or cost < 0 or min(penalties, default=0.0) < 0:
        raise ValueError("tuning takes two questions, and costs that are not below 0")
    answered = found.sure[np.isfinite(found.sure)]
    if not len(answered):
        raise ValueError("no question has an answer")
    levels = _levels(answered, _FINEST)
    given, wrong = _outcomes(found, levels)
    tuned, told = halves(found.items)
    weights = np.random.default_rng(seed).multinomial(
        len(told), np.full(len(told), 1 / len(told)), resamples
    ) / len(told)
    spent = cost * np.asarray(found.ns, dtype=np.float64)[:, None]
    free = (given - wrong - spent)[tuned].mean(axis=0)
    alone = int(free[:, 0].argmax())
    chosen = []
    for penalty in penalties:
        value = given - (1 + penalty) * wrong - spent
        own = value[tuned].mean(axis=0)
        n, at = (int(i) for i in np.unravel_index(int(own.argmax()), own.shape))
        apart = int(own[alone].argmax())
        test = value[told]
        pairs = (test[:, n, at], test[:, alone, apart], test[:, alone, 0])
        joint, separate, always = (_mean(each, weights, level) for each in pairs)
        gain = _mean(pairs[0] - pairs[1], weights, level)
        picked = (found.ns[n], float(levels[at])), (found.ns[alone], float(levels[apart]))
        chosen.append(Chosen(penalty, *picked, joint, separate, always, gain))
    return Abstention(_curve(found, points), tuple(chosen), cost, len(found.items))


def _levels(values: Floats, most: int) -> Floats:
    """The thresholds to try, rising: from the lowest confidence, which answers all, to infinity."""
    known = np.unique(values)
    if len(known) > most:
        known = np.unique(np.quantile(known, np.linspace(0, 1, most), method="lower"))
    return np.append(known, np.inf)


def _outcomes(found: Decided, levels: Floats) -> tuple[Floats, Floats]:
    """How often each question is answered, and answered wrong: by draws and threshold."""
    shape = (*found.sure.shape[:2], len(levels))
    given, wrong = np.empty(shape), np.empty(shape)
    for place, level in enumerate(levels):
        over: NDArray[np.bool_] = found.sure >= level
        given[:, :, place] = over.mean(axis=2)
        wrong[:, :, place] = (over * (1 - found.right)).mean(axis=2)
    return given, wrong


def _curve(found: Decided, points: int) -> tuple[Covered, ...]:
    told = []
    for place, n in enumerate(found.ns):
        own = found.sure[:, place]
        answered = own[np.isfinite(own)]
        if not len(answered):
            continue
        levels = np.unique(np.quantile(answered, np.linspace(0, 1, points), method="lower"))
        given, wrong = _outcomes(found, levels)
        for at, level in enumerate(levels):
            share = float(given[:, place, at].mean())
            risk = float(wrong[:, place, at].mean()) / share if share else None
            told.append(Covered(n, float(level), share, risk))
    return tuple(told)


def _mean(own: Floats, weights: Floats, level: float) -> Interval:
    low, high = np.quantile(weights @ own, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(own.mean()), float(low), float(high))
