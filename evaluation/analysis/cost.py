"""Costs without the noise of serving, and when a dearer pipeline is worth it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["IdealTime", "Worth", "break_even", "fit_ideal_time", "worth"]

_ASSUMES = (
    "a call takes a fixed time, and a time for each prompt and each completion token",
    "what is left is queueing and contention, and not of the model",
)


@dataclass(frozen=True, slots=True)
class IdealTime:
    """Seconds of a call: `base`, and for each `prompt` and `completion` token; `explained` is the
    share of the variance of the measured seconds that this accounts for."""

    base: float
    prompt: float
    completion: float
    explained: float
    assumes: tuple[str, ...] = _ASSUMES

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """The ideal seconds of a call."""
        return self.base + self.prompt * prompt_tokens + self.completion * completion_tokens


def fit_ideal_time(
    seconds: Sequence[float], prompt_tokens: Sequence[int], completion_tokens: Sequence[int]
) -> IdealTime:
    """The least-squares fit to measured calls.

    Cheaply Estimating Inference Efficiency Metrics for Autoregressive Transformer Models (Narayanan
    et al., 2023). Raises ValueError where lengths vary too little to tell the terms apart.
    """
    told = np.asarray(seconds, dtype=np.float64)
    terms = np.column_stack([np.ones(len(told)), prompt_tokens, completion_tokens])
    found, _, rank, _ = np.linalg.lstsq(terms, told, rcond=None)
    if rank < 3:
        raise ValueError("prompts and completions must vary in length, each by itself")
    spread = float(np.sum((told - told.mean()) ** 2))
    left = float(np.sum((told - terms @ found) ** 2))
    base, prompt, completion = map(float, found)
    return IdealTime(base, prompt, completion, 1 - left / spread if spread else 1.0)


def break_even(
    accuracy: float, cost: float, baseline_accuracy: float, baseline_cost: float
) -> float:
    """What a right answer must be worth for a pipeline to pay beside a baseline, in units of cost.

    0 where it costs no more and is no worse, infinite where it costs more and is not better; where
    it is cheaper and worse, the worth up to which it pays, as a negative number.

    >>> break_even(0.75, 3.0, 0.5, 1.0)
    8.0
    """
    better, dearer = accuracy - baseline_accuracy, cost - baseline_cost
    if dearer <= 0 <= better:
        return 0.0
    if better <= 0 <= dearer:
        return float("inf")
    return dearer / better if better > 0 else -(dearer / better)


@dataclass(frozen=True, slots=True)
class Worth:
    """What a right answer must be worth for a pipeline to pay beside a baseline, in `unit`: see
    `break_even`. Costs are of a question."""

    pipeline: str
    baseline: str
    unit: str
    accuracy: float
    cost: float
    baseline_accuracy: float
    baseline_cost: float
    break_even: float
    assumes: tuple[str, ...] = (
        "a wrong answer is worth nothing, and costs nothing beyond itself",
        "accuracy and cost are those measured; how sure they are the report says",
    )


def worth(
    pipeline: str,
    accuracy: float,
    cost: float,
    baseline: str,
    other: float,
    spent: float,
    unit: str,
) -> Worth:
    """A pipeline of that accuracy and cost beside a baseline with an accuracy of `other` that
    `spent` so much."""
    needed = break_even(accuracy, cost, other, spent)
    return Worth(pipeline, baseline, unit, accuracy, cost, other, spent, needed)
