"""How sure a source is of its answer to each question: by a score, or by the votes for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .coverage import Floats
from .draws import Draws

__all__ = ["Sure", "by_score", "by_votes"]


@dataclass(frozen=True, slots=True)
class Sure:
    """The confidence in each answer, and whether it is right; questions without one left out."""

    confidence: Floats
    right: NDArray[np.bool_]


def by_score(draws: Draws, name: str) -> Sure:
    """The best scored draw of each question, the first of equals, with its score."""
    best = [
        (float(scores[place]), bool(right[place]))
        for scores, right in zip(draws.scores[name], draws.right, strict=True)
        if not np.all(np.isnan(scores))
        for place in [int(np.nanargmax(scores))]
    ]
    return _sure(best)


def by_votes(draws: Draws) -> Sure:
    """The most frequent answer of each question, the first of equals, with its share of the draws.

    Draws without an answer count among the draws; a question with nothing else is left out.
    """
    best = []
    for groups, right in zip(draws.groups, draws.right, strict=True):
        votes = np.bincount(groups[groups >= 0])
        if len(votes):
            group = int(votes.argmax())
            first = int(np.flatnonzero(groups == group)[0])
            best.append((float(votes[group] / len(groups)), bool(right[first])))
    return _sure(best)


def _sure(best: list[tuple[float, bool]]) -> Sure:
    return Sure(np.array([sure for sure, _ in best]), np.array([right for _, right in best], bool))
