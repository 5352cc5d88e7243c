"""How sure it is that the leading answer would stay ahead if votes went on for ever."""

from __future__ import annotations

from collections.abc import Sequence
from math import cbrt, exp, isqrt, lgamma, log, sqrt

__all__ = ["lead_among", "lead_confidence"]

_POINTS = 4001
"""Where the densities are taken; the probability is right to about 1e-5."""


def lead_confidence(leader: float, runner_up: float) -> float:
    """The probability that p > 1/2 for p ~ Beta(leader + 1, runner_up + 1): that the leading answer
    would stay ahead of the runner-up if votes went on for ever.

    >>> round(lead_confidence(4, 0), 6)  # 1 - 1/2**5
    0.96875
    """
    if leader < runner_up:
        return 1.0 - lead_confidence(runner_up, leader)
    a, b = leader + 1.0, runner_up + 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) - (a + b) * log(2.0)) / a
    return 1.0 - front / _continued(a, b)


def lead_among(votes: Sequence[float]) -> float:
    """The probability that the first of several answers is the likeliest, for shares ~
    Dirichlet(votes + 1). Of two answers this is `lead_confidence`; each more makes it less.

    Shares of independent gammas have that distribution, so it is an integral over one variable.

    >>> round(lead_among([4, 0]), 3)
    0.969
    """
    import numpy as np

    shapes = [cast + 1.0 for cast in votes]
    most = max(shapes)
    # The cube roots of the variables: their densities begin flat, so that trapezoids are exact.
    t, step = np.linspace(0.0, cbrt(most + 12 * sqrt(most) + 40), _POINTS, retstep=True)
    with np.errstate(divide="ignore"):
        logs = np.log(t)

    def density(shape: float) -> np.typing.NDArray[np.float64]:
        return 3 * np.exp((3 * shape - 1) * logs - t**3 - lgamma(shape))

    ahead = density(shapes[0])
    for shape in shapes[1:]:
        own = density(shape)
        below = np.concatenate(([0.0], np.cumsum((own[1:] + own[:-1]) * (step / 2))))
        ahead = ahead * np.minimum(below, 1.0)
    return float(min(1.0, np.trapezoid(ahead, dx=step)))


def _continued(a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function at 1/2 (DLMF 8.17.22), from its end.
    For a >= b it converges within about sqrt(a) terms."""
    value = 1.0
    for m in range(32 + 4 * isqrt(int(a)), 0, -1):
        even = m * (b - m) / (2 * (a + 2 * m - 1) * (a + 2 * m))
        k = m - 1
        odd = (a + k) * (a + b + k) / (2 * (a + 2 * k) * (a + 2 * k + 1))
        value = 1.0 - odd / (1.0 + even / value)
    return value
