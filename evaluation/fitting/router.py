"""Which of two models a question needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...compiler.errors import InputError, MissingPackage
from ...compiler.fitted import Router
from ...ops import router as routing
from ...ops._features import LENGTHS, features
from .seen import About, Seen

__all__ = ["Embedded", "fit_router"]

_BUCKETS = 512
"""Hashed words and pairs of a router; more than a few hundred questions cannot fill them."""

_FEWEST = 5
"""Of each kind, for a router to learn anything."""

_HELD_BACK = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""How little coefficients may be held back."""

_SCORING = "neg_log_loss"

_SMALL = 1e-9
"""Coefficients that say nothing."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The embeddings of questions, at length 1, that a model gives: a row each, by place."""

    model: str
    width: int
    rows: Sequence[Mapping[int, float]]


def fit_router(
    seen: Sequence[Seen],
    about: About,
    cases: tuple[str, str],
    share: float,
    embedded: Embedded | None = None,
) -> Router:
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
    found = embedded.rows if embedded else [features(one.text, _BUCKETS) for one in seen]
    width = embedded.width if embedded else LENGTHS + _BUCKETS
    matrix = sparse.lil_matrix((len(seen), width))
    for place, row in enumerate(found):
        for column, value in row.items():
            matrix[place, column] = value
    rows = matrix.tocsr()
    model = max(
        (linear.LogisticRegression(C=c, max_iter=2000) for c in _HELD_BACK),
        key=lambda one: selection.cross_val_score(one, rows, needed, scoring=_SCORING).mean(),
    ).fit(rows, needed)
    asked = (*cases, embedded.model) if embedded else cases
    made = Router(
        made=about.made,
        pipeline=about.pipeline,
        data=about.data,
        models={name: about.models[name] for name in asked},
        cases=cases,
        embedder=embedded.model if embedded else "",
        buckets=width if embedded else _BUCKETS,
        coefficients={at: float(w) for at, w in enumerate(model.coef_[0]) if abs(w) > _SMALL},
        intercept=float(model.intercept_[0]),
        threshold=0.5,
    )
    op = routing.Router(by=made)
    chances = sorted((op.chance_of(row) for row in found), reverse=True)
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
