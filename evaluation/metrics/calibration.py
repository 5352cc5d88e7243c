"""Whether a stated confidence is as often right as it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Bin", "Calibration", "calibration"]


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of like confidence: how many, how sure on average, how often right."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """`ece` is the expected calibration error over the `bins`, `brier` the mean squared distance
    of confidence and outcome. Both are 0 at best; `brier` is 0.25 for an even coin's honesty."""

    ece: float
    brier: float
    bins: tuple[Bin, ...]


def calibration(
    confidences: Sequence[float], outcomes: Sequence[float], *, bins: int = 10
) -> Calibration:
    """The calibration of confidences between 0 and 1, in `bins` of equal width, empty ones left
    out. On Calibration of Modern Neural Networks (Guo et al., 2017)."""
    stated = np.asarray(confidences, dtype=np.float64)
    right = np.asarray(outcomes, dtype=np.float64)
    if not len(stated) or len(stated) != len(right) or bins < 1:
        raise ValueError(f"{len(stated)} confidences of {len(right)} outcomes cannot be compared")
    if np.any(~np.isfinite(stated)) or stated.min() < 0 or stated.max() > 1:
        raise ValueError("a confidence lies between 0 and 1")
    place = np.minimum((stated * bins).astype(int), bins - 1)
    filled = tuple(
        Bin(int(held.sum()), float(stated[held].mean()), float(right[held].mean()))
        for held in (place == number for number in range(bins))
        if held.any()
    )
    ece = sum(one.count * abs(one.confidence - one.accuracy) for one in filled) / len(stated)
    return Calibration(ece, float(np.mean((stated - right) ** 2)), filled)
