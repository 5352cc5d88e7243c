"""How good a verifier is: its error rates at a threshold, and how well its scores order draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..intervals import Interval, wilson
from .coverage import Floats

__all__ = ["Verifier", "auc", "verifier"]

_ASSUMES = (
    "whether a draw is right is known without error",
    "questions are drawn at random; draws of a question need not be independent",
)
_ON_THESE = "the threshold was chosen on these draws, which flatters the rates"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A draw is accepted from `threshold` on.

    `true_positive` is the share of right draws accepted, `false_positive` that of wrong ones,
    `precision` the share of accepted draws that are right, None where there is none of these.
    `auc` is the chance that a right draw outscores a wrong one, `auc_within` the same for draws of
    one question, which is what best of n lives on.
    """

    threshold: float
    true_positive: Interval | None
    false_positive: Interval | None
    precision: Interval | None
    auc: Interval | None
    auc_within: Interval | None
    draws: int
    items: int
    assumes: tuple[str, ...] = _ASSUMES


def verifier(
    scores: Sequence[Floats],
    right: Sequence[NDArray[np.bool_]],
    *,
    threshold: float | None = None,
    level: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> Verifier:
    """The audit of scores (a question an array) against what is right.

    Draws without a score (NaN) are left out. Without a `threshold` the one with the largest true
    less false positive rate is taken. Raises ValueError where no draw has a score.
    """
    scores, right, items = _scored(scores, right)
    flat, truth = np.concatenate(scores), np.concatenate(right)
    owner = np.repeat(np.arange(len(scores)), [len(own) for own in scores])
    cut = _youden(flat, truth) if threshold is None else threshold
    taken = flat >= cut
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(items, np.full(items, 1 / items), resamples).astype(np.float64)
    within = [auc(s, r) for s, r in zip(scores, right, strict=True) if 0 < r.sum() < len(r)]
    return Verifier(
        float(cut),
        _rate(taken, truth, owner, weights, level),
        _rate(taken, ~truth, owner, weights, level),
        _rate(truth, taken, owner, weights, level),
        _ordered(flat, truth, owner, weights, level),
        _mean(np.array(within), rng, resamples, level) if within else None,
        len(flat),
        items,
        _ASSUMES if threshold is not None else (*_ASSUMES, _ON_THESE),
    )


def auc(scores: Floats, right: NDArray[np.bool_], weights: Floats | None = None) -> float:
    """The chance that a right draw outscores a wrong one, ties counting half; NaN without both.

    >>> auc(np.array([1.0, 2.0, 3.0]), np.array([False, True, True]))
    1.0
    """
    mass = np.ones(len(scores)) if weights is None else weights
    _, place = np.unique(scores, return_inverse=True)
    good = np.bincount(place, weights=mass * right)
    bad = np.bincount(place, weights=mass * ~right)
    pairs = good.sum() * bad.sum()
    won = np.sum(good * (np.cumsum(bad) - bad / 2))
    return float(won / pairs) if pairs else float("nan")


def _scored(
    scores: Sequence[Floats], right: Sequence[NDArray[np.bool_]]
) -> tuple[list[Floats], list[NDArray[np.bool_]], int]:
    told = [~np.isnan(own) for own in scores]
    kept = [place for place, own in enumerate(told) if own.any()]
    if not kept:
        raise ValueError("no draw has a score")
    return (
        [scores[place][told[place]] for place in kept],
        [right[place][told[place]] for place in kept],
        len(kept),
    )


def _youden(scores: Floats, right: NDArray[np.bool_]) -> float:
    levels, place = np.unique(scores, return_inverse=True)
    good = np.bincount(place, weights=right)[::-1].cumsum()[::-1]
    bad = np.bincount(place, weights=~right)[::-1].cumsum()[::-1]
    gain = good / max(1.0, good[0]) - bad / max(1.0, bad[0])
    return float(levels[int(gain.argmax())])


def _rate(
    hit: NDArray[np.bool_],
    among: NDArray[np.bool_],
    owner: NDArray[np.int64],
    weights: Floats,
    level: float,
) -> Interval | None:
    """A share of draws, resampled by question; at 0 and 1 each question counts as one draw."""
    of = np.bincount(owner, weights=among, minlength=weights.shape[1])
    hits = np.bincount(owner, weights=hit & among, minlength=weights.shape[1])
    if not of.sum():
        return None
    rate, told = float(hits.sum() / of.sum()), int(np.count_nonzero(of))
    if rate in (0.0, 1.0) or of.max() <= 1:
        return wilson(int(hits.sum()) if of.max() <= 1 else round(rate) * told, told, level=level)
    below = weights @ of
    low, high = _ends((weights @ hits)[below > 0] / below[below > 0], level)
    return Interval(rate, low, high)


def _ordered(
    scores: Floats,
    right: NDArray[np.bool_],
    owner: NDArray[np.int64],
    weights: Floats,
    level: float,
) -> Interval | None:
    whole = auc(scores, right)
    if np.isnan(whole):
        return None
    again = np.array([auc(scores, right, own[owner]) for own in weights])
    return Interval(whole, *_ends(again[~np.isnan(again)], level))


def _mean(own: Floats, rng: np.random.Generator, resamples: int, level: float) -> Interval:
    again = own[rng.integers(len(own), size=(resamples, len(own)))].mean(axis=1)
    return Interval(float(own.mean()), *_ends(again, level))


def _ends(told: Floats, level: float) -> tuple[float, float]:
    low, high = np.quantile(told, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
