"""Fitting weights, thresholds and routers to questions whose right answers are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, fsum, lgamma, log, log1p
from typing import Any

from ..compiler.errors import InputError, MissingPackage
from ..compiler.fitted import Data, Router, Threshold, Weights
from ..ops import router as routing
from ..ops._features import LENGTHS, features

__all__ = [
    "About",
    "Promise",
    "Seen",
    "fit_router",
    "fit_threshold",
    "fit_weights",
    "share_wrong",
]

_BUCKETS = 512
"""Hashed words and pairs of a router; more than a few hundred questions cannot fill them."""

_FEWEST = 5
"""Of each kind, for a router to learn anything."""

_HELD_BACK = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""How little coefficients may be held back."""

_SCORING = "neg_log_loss"

_SMALL = 1e-9
"""Coefficients that say nothing."""

_GRID = 20
"""Thresholds from 0 to 1 that are tried, less one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one question: whether each draw of each model was right, and the scores of the
    result with whether that was right. `alike` counts the pairs of wrong answers drawn, those that
    are the same and all."""

    text: str
    drawn: Mapping[str, Sequence[bool]]
    scores: Mapping[str, float]
    right: bool
    alike: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class About:
    """What an artefact says of its making; `models` are the pipeline's, as backend/model."""

    made: str
    pipeline: str
    data: Data
    models: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised of answers whose score is high enough: with probability `confidence`, at
    most the share `risk` of them is wrong."""

    score: str
    risk: float
    confidence: float


def fit_weights(seen: Sequence[Seen], about: About) -> Weights:
    """The log of how much likelier a model's vote is to be for the right answer than for a given
    wrong one, p / ((1 - p) q): p is its share of right draws, with one right and one wrong draw
    added, q the chance that two wrong answers are the same. Where there are two answers q is 1 and
    this is the log odds. A model worse than that counts nothing."""
    same, pairs = (sum(one.alike[i] for one in seen) for i in (0, 1))
    alike = (same + 1) / (pairs + 1)
    weights = {}
    for model in sorted({model for one in seen for model in one.drawn}):
        draws = [right for one in seen for right in one.drawn.get(model, ())]
        right = sum(draws)
        odds = (right + 1) / (len(draws) - right + 1)
        weights[model] = max(0.0, log(odds / alike))
    if not weights:
        raise InputError("the pipeline draws from no model")
    models = {name: about.models[name] for name in weights}
    return Weights(
        made=about.made, pipeline=about.pipeline, data=about.data, models=models, weights=weights
    )


def fit_threshold(seen: Sequence[Seen], about: About, promise: Promise) -> Threshold:
    """The least of the thresholds 0, 0.05, … 1 that keeps the promise.

    An upper bound on the share of wrong answers (Clopper and Pearson) must be within the risk, at a
    level that allows for all thresholds tried. Raises `InputError` if none keeps it.
    """
    level = 1 - (1 - promise.confidence) / (_GRID + 1)
    for step in range(_GRID + 1):
        least = step / _GRID
        given = [one.right for one in seen if one.scores.get(promise.score, -1.0) >= least]
        wrong = len(given) - sum(given)
        if given and share_wrong(wrong, len(given), level) <= promise.risk:
            return Threshold(
                made=about.made,
                pipeline=about.pipeline,
                data=about.data,
                models=about.models,
                score=promise.score,
                at_least=least,
                risk=promise.risk,
                confidence=promise.confidence,
                answered=len(given) / len(seen),
            )
    raise InputError(
        f"no threshold on {promise.score!r} keeps wrong answers below {promise.risk:g} with "
        f"confidence {promise.confidence:g} on {len(seen)} questions"
    )


def share_wrong(wrong: int, total: int, level: float) -> float:
    """The upper bound of a share at a level, exact (Clopper and Pearson).

    >>> round(share_wrong(0, 100, 0.95), 4)
    0.0295
    """
    if wrong == total:
        return 1.0
    low, high = wrong / total, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        tail = fsum(exp(_log_chance(k, total, middle)) for k in range(wrong + 1))
        low, high = (middle, high) if tail > 1 - level else (low, middle)
    return high


def _log_chance(k: int, total: int, share: float) -> float:
    """The log of the chance of k out of so many."""
    ways = lgamma(total + 1) - lgamma(k + 1) - lgamma(total - k + 1)
    return ways + k * log(share) + (total - k) * log1p(-share)


def fit_router(seen: Sequence[Seen], about: About, cases: tuple[str, str], share: float) -> Router:
    """A logistic regression of whether the second of two models is needed: it is right and the
    first is wrong. `share` of the questions lie above the threshold.

    How strongly coefficients are held back is chosen by cross-validation in five parts. Raises
    `InputError` where there is nothing to learn from, `MissingPackage` without scikit-learn.
    """
    linear, selection, sparse = _packages()
    first, second = cases
    needed = [int(any(one.drawn[second]) and not any(one.drawn[first])) for one in seen]
    if min(sum(needed), len(needed) - sum(needed)) < _FEWEST:
        raise InputError(f"{second!r} alone is right on {sum(needed)} of {len(needed)} questions")
    matrix = sparse.lil_matrix((len(seen), LENGTHS + _BUCKETS))
    for place, one in enumerate(seen):
        for column, value in features(one.text, _BUCKETS).items():
            matrix[place, column] = value
    rows = matrix.tocsr()
    model = max(
        (linear.LogisticRegression(C=c, max_iter=2000) for c in _HELD_BACK),
        key=lambda one: selection.cross_val_score(one, rows, needed, scoring=_SCORING).mean(),
    ).fit(rows, needed)
    made = Router(
        made=about.made,
        pipeline=about.pipeline,
        data=about.data,
        models={name: about.models[name] for name in cases},
        cases=cases,
        buckets=_BUCKETS,
        coefficients={at: float(w) for at, w in enumerate(model.coef_[0]) if abs(w) > _SMALL},
        intercept=float(model.intercept_[0]),
        threshold=0.5,
    )
    op = routing.Router(by=made)
    chances = sorted((op.chance(one.text) for one in seen), reverse=True)
    above = min(len(chances) - 1, round(share * len(chances)))
    return made.model_copy(update={"threshold": chances[above]})


def _packages() -> tuple[Any, Any, Any]:
    try:
        from scipy import sparse
        from sklearn import linear_model, model_selection
    except ImportError as error:
        told = "a router is fitted by scikit-learn: pip install 'polyarch[fit]'"
        raise MissingPackage(told) from error
    return linear_model, model_selection, sparse
