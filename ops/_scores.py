"""What operators share when they read scores."""

from __future__ import annotations

from math import isfinite

from ..compiler.op import Flow, Mismatch
from ..compiler.values import Candidate

__all__ = ["finite", "must_carry"]


def finite(candidate: Candidate, name: str) -> float | None:
    """A candidate's score, or None if it is missing or not a finite number."""
    score = candidate.scores.get(name)
    return score if score is not None and isfinite(score) else None


def must_carry(given: Flow, name: str, field: str) -> None:
    """Raise `Mismatch` on `field` unless every candidate carries the score."""
    if name not in given.scores:
        there = ", ".join(sorted(given.scores)) or "none"
        raise Mismatch(f"no score {name!r} on every candidate; scores there: {there}", field)
