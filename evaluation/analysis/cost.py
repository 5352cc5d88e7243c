"""Costs without the noise of serving, and when a dearer pipeline is worth it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .coverage import Floats

__all__ = ["IdealTime", "Worth", "break_even", "e3", "fit_ideal_time", "worth"]

_ASSUMES = (
    "a call takes a fixed time, and a time for each prompt and each completion token",
    "what is left is queueing and contention, and not of the model",
)


@dataclass(frozen=True, slots=True)
class IdealTime:
    """Seconds of a call: `base`, and for each `prompt` and `completion` token; `explained` is the
    share of the variance of the measured seconds that this accounts for. A term is None where that
    length never varied: what it takes is in the base."""

    base: float
    prompt: float | None
    completion: float | None
    explained: float
    assumes: tuple[str, ...] = _ASSUMES

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        """The ideal seconds of a call."""
        prompt, completion = self.prompt or 0.0, self.completion or 0.0
        return self.base + prompt * prompt_tokens + completion * completion_tokens


def fit_ideal_time(
    seconds: Sequence[float], prompt_tokens: Sequence[int], completion_tokens: Sequence[int]
) -> IdealTime:
    """The least-squares fit to measured calls, of terms that are none below 0: no token gives time
    back.

    Cheaply Estimating Inference Efficiency Metrics for Autoregressive Transformer Models (Narayanan
    et al., 2023). Raises ValueError where no length varies, or both do together.
    """
    told = np.asarray(seconds, dtype=np.float64)
    lengths = {"prompt": prompt_tokens, "completion": completion_tokens}
    vary = [name for name, own in lengths.items() if len(set(own)) > 1]
    terms = np.column_stack([np.ones(len(told)), *(lengths[name] for name in vary)])
    if not vary or np.linalg.matrix_rank(terms) <= len(vary):
        raise ValueError("prompts or completions must vary in length, each by itself")
    found = _least_squares(terms, told)
    spread = float(np.sum((told - told.mean()) ** 2))
    left = float(np.sum((told - terms @ found) ** 2))
    each = dict(zip(vary, map(float, found[1:]), strict=True))
    explained = 1 - left / spread if spread else 1.0
    return IdealTime(float(found[0]), each.get("prompt"), each.get("completion"), explained)


def _least_squares(terms: Floats, told: Floats) -> Floats:
    """The coefficients of the best fit without a negative one, of few terms: the best of all
    choices of terms whose own fit has none."""
    best, least = np.zeros(terms.shape[1]), float(np.sum(told**2))
    for count in range(1, terms.shape[1] + 1):
        for chosen in combinations(range(terms.shape[1]), count):
            part = terms[:, chosen]
            found = np.linalg.lstsq(part, told, rcond=None)[0]
            left = float(np.sum((told - part @ found) ** 2))
            if np.all(found >= 0) and left < least:
                best, least = np.zeros(terms.shape[1]), left
                best[list(chosen)] = found
    return best


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


def e3(accuracy: float, tokens: float) -> float:
    """How much accuracy so many tokens a question bring, accuracy counting twice: its square over
    the tokens.

    Plan and Budget: Effective and Efficient Test-Time Scaling on Reasoning Large Language Models
    (Lin et al., 2025), in our form. Raises ValueError without tokens.

    >>> e3(0.5, 100)
    0.0025
    """
    if tokens <= 0:
        raise ValueError("an answer takes tokens")
    return accuracy * accuracy / tokens


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
