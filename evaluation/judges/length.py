"""Win rates with the judge's liking for length taken out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["length_controlled"]

_RIDGE = 1e-2
_TURNS = 100


def length_controlled(
    wins: Sequence[float], lengths: Sequence[float], others: Sequence[float]
) -> float:
    """The win rate to be expected if answers were as long as those they were compared with.

    A logistic regression of the wins (ties count half) on the tanh of the standardised difference
    in length, read at no difference, with a slight ridge on the slope. Length-Controlled AlpacaEval
    (Dubois et al., 2024), without its terms for models and questions.
    """
    if not wins or not len(wins) == len(lengths) == len(others):
        raise ValueError("every win has two lengths")
    won = np.asarray(wins, dtype=np.float64)
    longer = np.asarray(lengths, dtype=np.float64) - np.asarray(others, dtype=np.float64)
    spread = longer.std()
    if spread == 0:
        return float(won.mean())
    known = np.stack([np.ones_like(won), np.tanh(longer / spread)], axis=1)
    weights = np.zeros(2)
    # A share of all wins or none has no finite logit; the ridge on the level keeps it in bounds.
    ridge = np.diag([1e-6, _RIDGE]) * len(won)
    for _ in range(_TURNS):
        told = 1 / (1 + np.exp(-np.clip(known @ weights, -30, 30)))
        slope = known.T @ (won - told) - ridge @ weights
        bend = (known * (told * (1 - told))[:, None]).T @ known + ridge + 1e-9 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        weights = weights + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return float(1 / (1 + np.exp(-weights[0])))
