"""Which ways to an answer are too improbable to count."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Values = np.typing.NDArray[np.float64]

__all__ = ["threshold"]

_EULER = 0.5772156649015329
_FEWEST = 4
"""Of fewer ways, two kinds cannot be told apart."""
_ROUNDS = 200
_SHAPES = (0.2, 200.0)
"""Bounds on the shapes, for log probabilities between 0 and 1: a component may neither be wider
than all of them nor one of them alone."""


def threshold(logprobs: Sequence[float]) -> float:
    """The log probability below which a way is pruned; -inf where none is.

    Two Weibull distributions are fitted to the probabilities by expectation and maximisation. What
    lies below everything that belongs rather to the more probable of them, and below the mean
    probability, is pruned. The log of a Weibull variable is a Gumbel one, so all is done with logs,
    and no probability is too small.

    >>> threshold([-5.0, -5.1, -5.2, -5.3, -30.0, -31.0]) > -30
    True
    """
    import numpy as np

    if len(set(logprobs)) < _FEWEST:
        return float("-inf")
    known = np.sort(np.asarray(logprobs, dtype=float))
    low, span = float(known[0]), float(known[-1] - known[0])
    scaled = (known - low) / span
    likelier = _responsibilities(scaled)
    mean = float(known[-1] + log(np.mean(np.exp(known - known[-1]))))
    kept = known[likelier >= 0.5]
    return min(mean, float(kept[0])) if len(kept) else mean


def _responsibilities(z: Values) -> Values:
    """How surely each value belongs to the component with the higher mean."""
    import numpy as np

    cut = int(np.argmax(np.diff(z))) + 1  # begin where the values lie farthest apart
    cut = min(max(cut, 2), len(z) - 2)
    second = np.where(np.arange(len(z)) >= cut, 0.95, 0.05)
    parts = [(1.0, 0.0), (1.0, 1.0)]
    for _ in range(_ROUNDS):
        weights = (1 - second, second)
        parts = [_fitted(z, weight) for weight in weights]
        logs = [
            log(max(float(np.mean(weight)), 1e-300)) + _density(z, *part)
            for weight, part in zip(weights, parts, strict=True)
        ]
        before = second
        second = np.exp(logs[1] - np.logaddexp(*logs))
        if float(np.max(np.abs(second - before))) < 1e-8:
            break
    means = [place - _EULER / shape for shape, place in parts]
    return second if means[1] >= means[0] else 1 - second


def _density(z: Values, shape: float, place: float) -> Values:
    """The log density of the log of a Weibull variable."""
    import numpy as np

    scaled = shape * (z - place)
    density: Values = log(shape) + scaled - np.exp(np.minimum(scaled, 700.0))
    return density


def _fitted(z: Values, weights: Values) -> tuple[float, float]:
    """The likeliest shape and place for weighted values; the shape by bisection, since its equation
    rises."""
    import numpy as np

    whole = float(np.sum(weights)) + 1e-300
    mean = float(np.sum(weights * z)) / whole
    low, high = (log(bound) for bound in _SHAPES)
    for _ in range(50):
        shape = exp((low + high) / 2)
        powers = weights * np.exp(shape * (z - 1.0))
        tilted = float(np.sum(powers * z)) / (float(np.sum(powers)) + 1e-300)
        low, high = (low, log(shape)) if tilted - 1 / shape > mean else (log(shape), high)
    shape = exp((low + high) / 2)
    powers = weights * np.exp(shape * (z - 1.0))
    return shape, 1.0 + log((float(np.sum(powers)) + 1e-300) / whole) / shape
