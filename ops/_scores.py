"""What operators share when they read scores."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum, isfinite

from ..compiler.op import Flow, Mismatch
from ..compiler.values import Candidate

__all__ = ["LOGPROB_SCORES", "finite", "likelihood", "must_carry"]

LOGPROB_SCORES = frozenset({"logprob", "logprob_mean", "probability_mean"})
"""The scores that `likelihood` gives."""


def finite(candidate: Candidate, name: str) -> float | None:
    """A candidate's score, or None if it is missing or not a finite number."""
    score = candidate.scores.get(name)
    return score if score is not None and isfinite(score) else None


def must_carry(given: Flow, name: str, field: str) -> None:
    """Raise `Mismatch` on `field` unless every candidate carries the score."""
    if name not in given.scores:
        there = ", ".join(sorted(given.scores)) or "none"
        raise Mismatch(f"no score {name!r} on every candidate; scores there: {there}", field)


def likelihood(logprobs: Sequence[float]) -> dict[str, float]:
    """The scores of a text by the natural-log probabilities of its tokens; none if there are no
    tokens, or not each has a probability above zero."""
    total = fsum(logprobs) if all(isfinite(one) for one in logprobs) else None
    if total is None or not logprobs:
        return {}
    mean = total / len(logprobs)
    return {"logprob": total, "logprob_mean": mean, "probability_mean": exp(mean)}
