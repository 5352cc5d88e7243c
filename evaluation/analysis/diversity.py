"""How different the draws of a question are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .draws import Draws

__all__ = ["Diversity", "diversity"]

_ASSUMES = (
    "answers are different where their canonical texts are",
    "entropy of few draws is below that of the distribution they come from",
)


@dataclass(frozen=True, slots=True)
class Diversity:
    """Means over questions, *no answer* left out but counted by `silent`.

    `distinct` answers; `entropy` of the answers in bits; `effective`, the number of equally
    frequent answers of that entropy; `agreement`, the chance that two draws answer alike;
    `unanimous`, the share of questions with one answer.
    """

    items: int
    draws: float
    distinct: float
    entropy: float
    effective: float
    agreement: float
    unanimous: float
    silent: float
    assumes: tuple[str, ...] = _ASSUMES


def diversity(draws: Draws) -> Diversity:
    """How different the answers to each question are. Raises ValueError where nothing answered."""
    counts = [np.bincount(own[own >= 0]) for own in draws.groups if np.any(own >= 0)]
    if not counts:
        raise ValueError("no draw holds an answer")
    bits = np.array([_entropy(own) for own in counts])
    paired = [own for own in counts if own.sum() > 1]
    alike = [np.sum(own * (own - 1)) / (own.sum() * (own.sum() - 1)) for own in paired]
    silent = sum(int(np.sum(own < 0)) for own in draws.groups)
    distinct = np.array([np.count_nonzero(own) for own in counts])
    return Diversity(
        items=len(draws.items),
        draws=float(np.mean(draws.counts)),
        distinct=float(distinct.mean()),
        entropy=float(bits.mean()),
        effective=float(np.mean(2.0**bits)),
        agreement=float(np.mean(alike)) if alike else float("nan"),
        unanimous=float(np.mean(distinct == 1)),
        silent=silent / sum(draws.counts),
    )


def _entropy(counts: NDArray[np.int64]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(np.abs(np.sum(shares * np.log2(shares))))
