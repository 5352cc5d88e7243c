"""Where more draws stop paying: plurality and choice by score beside the best draw there is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..intervals import Interval
from .choosing import best_of, plurality_of
from .coverage import Floats, pass_at, spaced
from .draws import Draws

__all__ = ["Growth", "Saturation", "saturation"]

_ASSUMES = (
    "draws of a question are independent and alike; sets of n of them stand for new ones",
    "of answers or scores that tie, each is as likely to be chosen",
    "intervals are over questions drawn at random",
)


@dataclass(frozen=True, slots=True)
class Growth:
    """Accuracy of a rule of choosing among n draws, for each n.

    From `enough` draws on, all that there are add less than the tolerance; `left` is what they add.
    `best` is the n of the highest accuracy: below the last one where more draws do harm.
    """

    rule: str
    accuracy: tuple[Interval, ...]
    enough: int
    left: Interval
    best: int


@dataclass(frozen=True, slots=True)
class Saturation:
    """`growth` by rule over `ns` draws: plurality, each score, and the oracle, which is coverage.

    `gaps` are what the oracle has over each rule at the most draws.
    """

    ns: tuple[int, ...]
    growth: tuple[Growth, ...]
    gaps: tuple[tuple[str, Interval], ...]
    items: int
    assumes: tuple[str, ...] = _ASSUMES


def saturation(
    draws: Draws,
    *,
    tolerance: float = 0.01,
    orders: int = 64,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Saturation:
    """How accuracy grows with the number of draws, by each rule of choosing among them.

    Plurality is the mean over so many random `orders` of each question's draws; the others are
    exact. Raises ValueError where a question has fewer than two draws.
    """
    most = min(draws.counts, default=0)
    if most < 2:
        raise ValueError("a curve over draws needs two of each question")
    ns = spaced(most)
    places = np.asarray(ns) - 1
    rules = {"plurality": _plurality(draws, ns, orders, seed)}
    for name, scores in draws.scores.items():
        pairs = zip(scores, draws.right, strict=True)
        rules[name] = np.array([best_of(own, right, most)[places] for own, right in pairs])
    oracle = pass_at(draws.hits, draws.counts, most)[:, places]
    weights = _weights(len(draws.items), resamples, seed)
    told = {**rules, "oracle": oracle}
    growth = tuple(_growth(rule, own, ns, weights, tolerance, level) for rule, own in told.items())
    gaps = tuple(
        (rule, _mean((oracle - own)[:, -1], weights, level)) for rule, own in rules.items()
    )
    return Saturation(ns, growth, gaps, len(draws.items))


def _plurality(draws: Draws, ns: tuple[int, ...], orders: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return np.array(
        [
            plurality_of(
                groups, right, ns, rng.permuted(np.tile(np.arange(len(right)), (orders, 1)), axis=1)
            )
            for groups, right in zip(draws.groups, draws.right, strict=True)
        ]
    )


def _growth(
    rule: str,
    own: Floats,
    ns: tuple[int, ...],
    weights: Floats,
    tolerance: float,
    level: float,
) -> Growth:
    means = own.mean(axis=0)
    short = np.flatnonzero(means.max() - means >= tolerance)
    rising = short[short < int(means.argmax())]
    place = int(rising[-1]) + 1 if len(rising) else 0
    return Growth(
        rule,
        tuple(_mean(column, weights, level) for column in own.T),
        ns[place],
        _mean(own[:, -1] - own[:, place], weights, level),
        ns[int(means.argmax())],
    )


def _weights(count: int, resamples: int, seed: int) -> Floats:
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    return np.asarray(drawn / count, dtype=np.float64)


def _mean(own: Floats, weights: Floats, level: float) -> Interval:
    low, high = np.quantile(weights @ own, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(own.mean()), float(low), float(high))
