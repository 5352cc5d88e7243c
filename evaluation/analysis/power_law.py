"""The exponentiated power law of coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

__all__ = ["PowerLaw", "fit_power_law"]


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """Coverage of k draws is exp(`a` · k^`b`), both negative where more draws help."""

    a: float
    b: float
    assumes: tuple[str, ...] = ("the logarithm of coverage is a power of k beyond the draws, too",)

    def at(self, k: int) -> float:
        """Coverage of k draws, between 0 and 1."""
        return min(1.0, exp(self.a * k**self.b))


def fit_power_law(ks: Sequence[int], shares: Sequence[float]) -> PowerLaw:
    """The law nearest to a coverage curve: least squares of log(-log share) over log k.

    Shares of 0 and 1 have no such logarithm and are left out; evenly spaced log k give the ends
    equal say. Large Language Monkeys (Brown et al., 2024). Raises ValueError with fewer than two
    points left.
    """
    count, share = np.asarray(ks, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    told = (share > 0) & (share < 1)
    if len(set(count[told].tolist())) < 2:
        raise ValueError("a power law needs coverage strictly between 0 and 1 at two ks")
    slope, offset = np.polyfit(np.log(count[told]), np.log(-np.log(share[told])), 1)
    return PowerLaw(-exp(offset), float(slope))
