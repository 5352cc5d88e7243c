"""What drawing until a verifier accepts can reach: its accuracy, its ceiling, when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .coverage import Floats

__all__ = ["Resampling", "resampling"]

_ASSUMES = (
    "draws of a question are independent, right with a chance of its own",
    "the verifier's error rates are the same for every question",
    "the chance of a question is its share of right draws, which few draws tell badly",
)


@dataclass(frozen=True, slots=True)
class Resampling:
    """Per number of `attempts`: `accuracy` counts unanswered questions as wrong, `precision` is of
    the answers given, `answered` their share, `value` with the price of wrong answers and draws.

    `ceiling` is the accuracy of endless attempts, `best` the attempts of the largest value.
    """

    attempts: tuple[int, ...]
    accuracy: tuple[float, ...]
    precision: tuple[float, ...]
    answered: tuple[float, ...]
    value: tuple[float, ...]
    ceiling: float
    best: int
    assumes: tuple[str, ...] = _ASSUMES


def resampling(
    chances: Sequence[float] | Floats,
    *,
    true_positive: float,
    false_positive: float,
    most: int = 100,
    penalty: float = 0.0,
    cost: float = 0.0,
) -> Resampling:
    """Draw until the verifier accepts, at most `most` times, then give no answer.

    `chances` are those of a right draw, a question each. A right answer is worth 1, a wrong one
    costs `penalty`, a draw costs `cost`. The accepted answer of a question is right at the same
    rate whichever attempt it is: a best number of attempts comes from hard questions being accepted
    late. Inference Scaling fLaws (Stroebl et al., 2024). Raises ValueError outside 0 to 1.
    """
    p = np.asarray(chances, dtype=np.float64)
    rates = np.array([true_positive, false_positive])
    if not len(p) or p.min() < 0 or p.max() > 1 or rates.min() < 0 or rates.max() > 1 or most < 1:
        raise ValueError("chances and rates lie between 0 and 1, and at least one attempt is made")
    good, bad = p * true_positive, (1 - p) * false_positive
    accepted = good + bad
    # A question that is never accepted keeps its draws coming, and answers nothing.
    per = 1 / np.where(accepted > 0, accepted, 1.0)
    reached = 1 - (1 - accepted) ** np.arange(1, most + 1)[:, None]
    used = np.where(accepted > 0, reached * per, np.arange(1, most + 1)[:, None])
    accuracy, answered = (reached * good * per).mean(axis=1), reached.mean(axis=1)
    value = accuracy - penalty * (reached * bad * per).mean(axis=1) - cost * used.mean(axis=1)
    precision = np.divide(accuracy, answered, out=np.zeros(most), where=answered > 0)
    return Resampling(
        tuple(range(1, most + 1)),
        tuple(accuracy.tolist()),
        tuple(precision.tolist()),
        tuple(answered.tolist()),
        tuple(value.tolist()),
        ceiling=float((good * per).mean()),
        best=int(value.argmax()) + 1,
    )
