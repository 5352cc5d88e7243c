"""Coverage foretold from few draws, beside what the draws held out show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..intervals import Interval
from .beta_binomial import fit_beta_binomial
from .coverage import Floats, pass_at, spaced
from .power_law import fit_power_law

__all__ = ["Forecast", "Predicted", "forecast"]

_ASSUMES = (
    "the first draws are drawn as the later ones are",
    "power law: the logarithm of coverage is a power of k beyond the draws, too",
    "beta-binomial: the chance that a draw is right is beta distributed over questions",
    "intervals are over questions, resampled alike for what is foretold and what is seen",
)


@dataclass(frozen=True, slots=True)
class Predicted:
    """What one fit foretells, and by how much it is above what is seen; both over questions.

    `coverage` is None where the fit cannot be made: a power law of a curve that is flat at 0 or 1.
    """

    fit: str
    coverage: Interval | None
    error: Interval | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Coverage of `k` draws from the first `fitted_on`; `seen` is None without so many draws."""

    fitted_on: int
    k: int
    predicted: tuple[Predicted, ...]
    seen: Interval | None
    assumes: tuple[str, ...] = _ASSUMES


def forecast(
    right: Sequence[Sequence[bool]],
    *,
    fit_on: int,
    k: int,
    level: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> Forecast:
    """Fit the coverage of the first `fit_on` draws of each question, and foretell that of `k`.

    `right` holds a question a row, its draws in their order. Nothing but the first draws is fitted
    on. Raises ValueError where a question has fewer draws.
    """
    if min(map(len, right), default=0) < fit_on:
        raise ValueError(f"not every question has {fit_on} draws to fit on")
    hits = np.array([sum(map(bool, own[:fit_on])) for own in right], dtype=np.int64)
    held = _seen(right, k)
    rng = np.random.default_rng(seed)
    samples = [np.arange(len(hits)), *rng.integers(len(hits), size=(resamples, len(hits)))]
    truth = None if held is None else np.array([held[chosen].mean() for chosen in samples])
    predicted = []
    for name, fit in (("power law", _power_law), ("beta-binomial", _beta_binomial)):
        told = _over(samples, hits, fit_on, k, fit)
        error = None if truth is None or np.isnan(told[0]) else _interval(told - truth, level)
        whole = None if np.isnan(told[0]) else _interval(told, level)
        predicted.append(Predicted(name, whole, error))
    return Forecast(fit_on, k, tuple(predicted), None if truth is None else _interval(truth, level))


def _seen(right: Sequence[Sequence[bool]], k: int) -> Floats | None:
    """pass@k of each question; None where one has too few draws."""
    draws = [len(own) for own in right]
    return pass_at([sum(own) for own in right], draws, k)[:, -1] if min(draws) >= k else None


def _over(
    samples: Sequence[NDArray[np.int64]],
    hits: NDArray[np.int64],
    draws: int,
    k: int,
    fit: Callable[[NDArray[np.int64], int, int], float],
) -> Floats:
    """The forecast of all questions, then of every resample; NaN where it cannot be fitted."""
    told = []
    for chosen in samples:
        try:
            told.append(fit(hits[chosen], draws, k))
        except ValueError:
            told.append(np.nan)
    return np.asarray(told)


def _power_law(hits: NDArray[np.int64], draws: int, k: int) -> float:
    ks = spaced(draws)
    curve = pass_at(hits.tolist(), [draws] * len(hits), draws).mean(axis=0)
    return fit_power_law(ks, curve[np.asarray(ks) - 1].tolist()).at(k)


def _beta_binomial(hits: NDArray[np.int64], draws: int, k: int) -> float:
    return fit_beta_binomial(hits.tolist(), [draws] * len(hits)).at(k)


def _interval(told: Floats, level: float) -> Interval:
    again = told[1:][~np.isnan(told[1:])]
    low, high = np.quantile(again if len(again) else told[:1], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(told[0]), float(low), float(high))
