"""A Gaussian process over encoded choices: what is expected of one, and how sure that is.

Its covariance is a sum: a linear part for holes that add up, a squared-exponential one for what
they do together. How much of each, and how far it reaches, is the likeliest of a few.
"""

from __future__ import annotations

from itertools import product
from math import erf, exp, pi, sqrt
from typing import TypeAlias

import numpy as np
from numpy.linalg import LinAlgError

from .encoding import Matrix

__all__ = ["Gaussian", "Reach", "improvement"]

Reach: TypeAlias = tuple[float, float, float, float]
"""How far the squared-exponential part reaches, the linear one's share, the whole's scale, and how
much of the noise is each value's own."""

_REACHES = (0.5, 1.5)
_SHARES = (0.1, 0.6)
"""Of the linear part in the variance."""
_SCALES = (0.3, 1.0, 3.0)
_OWN = (0.1, 0.3, 1.0)
"""Of the noise: values that were measured with the same draws err alike in part."""


class Gaussian:
    """Fitted to values with a noise of their own each."""

    def __init__(
        self, rows: Matrix, values: Matrix, noise: Matrix, reach: Reach | None = None
    ) -> None:
        """`rows` are encoded choices, `values` what was measured of each, `noise` its variance.
        Without `reach` it is the likeliest."""
        self._rows = rows
        self._typical = max(1.0, float((rows**2).sum(axis=1).mean()))
        weights = 1 / (noise + max(1e-9, float(values.var())))
        self._level = float((values * weights).sum() / weights.sum())
        self._left = values - self._level
        self._spread = max(1e-6, float(self._left.var()) - float(noise.mean()), 1e-2 * values.var())
        squares = _squares(rows, rows)
        products = rows @ rows.T
        self.reach = reach or self._likeliest(squares, products, noise)
        covariance = self._covariance(squares, products, self.reach)
        factor = np.linalg.cholesky(covariance + np.diag(self.reach[3] * noise + 1e-9))
        self._inverse = np.linalg.inv(factor)
        self._weights = self._inverse.T @ (self._inverse @ self._left)

    def __call__(self, rows: Matrix) -> tuple[Matrix, Matrix]:
        """What is expected of encoded choices, and the standard deviations."""
        across = self._covariance(_squares(rows, self._rows), rows @ self._rows.T, self.reach)
        mean = self._level + across @ self._weights
        _, share, scale, _ = self.reach
        own = (rows**2).sum(axis=1) / self._typical
        prior = self._spread * scale * (share * own + 1 - share)
        explained = ((self._inverse @ across.T) ** 2).sum(axis=0)
        return mean, np.sqrt(np.maximum(1e-12, prior - explained))

    def _likeliest(self, squares: Matrix, products: Matrix, noise: Matrix) -> Reach:
        best = (-np.inf, (_REACHES[0], _SHARES[0], _SCALES[0], 1.0))
        for shape in product(_REACHES, _SHARES, _SCALES):
            covariance = self._covariance(squares, products, (*shape, 1.0))
            for own in _OWN:
                likelihood = _likelihood(covariance, self._left, own * noise)
                best = max(best, (likelihood, (*shape, own)))
        return best[1]

    def _covariance(self, squares: Matrix, products: Matrix, told: Reach) -> Matrix:
        reach, share, scale, _ = told
        linear = products / self._typical
        together = np.exp(-squares / (2 * reach**2 * self._typical))
        made: Matrix = self._spread * scale * (share * linear + (1 - share) * together)
        return made


def improvement(mean: Matrix, deviation: Matrix, best: float) -> Matrix:
    """The expected improvement over `best`."""
    told = []
    for expected, spread in zip(mean - best, deviation, strict=True):
        z = float(expected / spread)
        density = exp(-z * z / 2) / sqrt(2 * pi)
        told.append(float(expected) * (1 + erf(z / sqrt(2))) / 2 + float(spread) * density)
    made: Matrix = np.maximum(0.0, np.asarray(told))
    return made


def _squares(one: Matrix, other: Matrix) -> Matrix:
    lengths = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :]
    made: Matrix = np.maximum(0.0, lengths - 2 * one @ other.T)
    return made


def _likelihood(covariance: Matrix, left: Matrix, noise: Matrix) -> float:
    try:
        factor = np.linalg.cholesky(covariance + np.diag(noise + 1e-9))
    except LinAlgError:
        return -np.inf
    solved = np.linalg.solve(factor, left)
    return float(-0.5 * solved @ solved - np.log(np.diag(factor)).sum())
