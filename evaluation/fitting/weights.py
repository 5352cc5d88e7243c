"""What the vote of each model counts."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from ...compiler.errors import InputError
from ...compiler.fitted import Weights
from .seen import About, Seen

__all__ = ["fit_weights"]


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
