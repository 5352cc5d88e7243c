"""Answering only when sure: how the risk of a wrong answer falls with the share answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, lgamma, log, log1p

import numpy as np
from numpy.typing import NDArray

from .coverage import Floats

__all__ = ["Selective", "Threshold", "binomial_tail", "selective", "threshold_for"]

_ASSUMES = (
    "questions are independent and like those to come",
    "confidence was not fitted to these questions",
)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Answers of at least this confidence are wrong at most at `risk`, but for a chance `delta`.

    `coverage` is the share of questions then answered, `seen` the risk among these.
    """

    confidence: float
    risk: float
    delta: float
    coverage: float
    seen: float


@dataclass(frozen=True, slots=True)
class Selective:
    """`risks` at each of `coverages`, most confident first; `aurc` is the area under all of them.

    `best` is the area of an order that puts every right answer first, `chance` that of none, which
    is the risk of answering all. `threshold` is None where no part is surely within the risk.
    """

    coverages: tuple[float, ...]
    risks: tuple[float, ...]
    aurc: float
    best: float
    chance: float
    threshold: Threshold | None
    items: int
    assumes: tuple[str, ...] = _ASSUMES


def selective(
    confidence: Sequence[float] | Floats,
    right: Sequence[bool] | NDArray[np.bool_],
    *,
    risk: float = 0.1,
    delta: float = 0.05,
    points: int = 10,
) -> Selective:
    """The risk-coverage curve of answers, told at so many `points`, and a threshold for a `risk`.

    Answers of equal confidence come in together: within them the risk is what a random order gives
    on average. Selective Classification for Deep Neural Networks (Geifman and El-Yaniv, 2017).
    Raises ValueError without answers, and for confidence that is no number.
    """
    sure, wrong = _checked(confidence, right)
    whole = _risks(sure, wrong)
    count = len(sure)
    taken = np.unique(np.maximum(1, np.arange(1, points + 1) * count // points))
    errors = round(float(wrong.sum()))
    ideal = np.maximum(np.arange(1, count + 1) - (count - errors), 0) / np.arange(1, count + 1)
    return Selective(
        tuple(float(n / count) for n in taken),
        tuple(float(whole[n - 1]) for n in taken),
        float(whole.mean()),
        float(ideal.mean()),
        float(wrong.mean()),
        threshold_for(confidence, right, risk=risk, delta=delta),
        count,
    )


def threshold_for(
    confidence: Sequence[float] | Floats,
    right: Sequence[bool] | NDArray[np.bool_],
    *,
    risk: float,
    delta: float = 0.05,
) -> Threshold | None:
    """The lowest confidence from which answers are surely within the risk; None if there is none.

    Parts grow from the most confident answers on, from the fewest that could be enough, and each is
    tested exactly at `delta`; the first that fails ends it, so testing many costs nothing. Learn
    then Test (Angelopoulos et al., 2021), by fixed sequence.
    """
    if not 0 < risk < 1 or not 0 < delta < 1:
        raise ValueError("a risk and a delta lie between 0 and 1")
    sure, wrong = _checked(confidence, right)
    found = None
    least = ceil(log(delta) / log1p(-risk))
    # A part ends where the confidence falls: answers of equal confidence go together.
    ends = np.append(np.flatnonzero(np.diff(sure) < 0) + 1, len(sure))
    errors = np.cumsum(wrong)
    for n in ends[ends >= least].tolist():
        if binomial_tail(int(errors[n - 1]), n, risk) > delta:
            break
        found = Threshold(float(sure[n - 1]), risk, delta, n / len(sure), float(errors[n - 1] / n))
    return found


def binomial_tail(successes: int, total: int, chance: float) -> float:
    """The chance of at most so many successes of `total`.

    >>> round(binomial_tail(1, 2, 0.5), 12)
    0.75
    """
    return min(
        1.0,
        sum(
            exp(
                lgamma(total + 1)
                - lgamma(k + 1)
                - lgamma(total - k + 1)
                + k * log(chance)
                + (total - k) * log1p(-chance)
            )
            for k in range(successes + 1)
        ),
    )


def _checked(
    confidence: Sequence[float] | Floats, right: Sequence[bool] | NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Confidence falling, and with it what is wrong."""
    sure = np.asarray(confidence, dtype=np.float64)
    wrong = 1.0 - np.asarray(right, dtype=np.float64)
    if not len(sure) or sure.shape != wrong.shape or np.any(np.isnan(sure)):
        raise ValueError("each answer needs a confidence, and to be right or wrong")
    order = np.argsort(-sure, kind="stable")
    return sure[order], wrong[order]


def _risks(sure: Floats, wrong: Floats) -> Floats:
    """The risk of the first n answers, for each n; ties spread their errors evenly."""
    _, place, sizes = np.unique(-sure, return_inverse=True, return_counts=True)
    even = (np.bincount(place, weights=wrong) / sizes)[place]
    return np.asarray(np.cumsum(even) / np.arange(1, len(sure) + 1), dtype=np.float64)
