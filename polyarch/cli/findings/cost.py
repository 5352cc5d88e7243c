"""Tables of what calls cost, and what that is worth."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...evaluation.analysis.cost import IdealTime, Worth
from .words import Rows

__all__ = ["ideal_time", "worth"]


def ideal_time(result: IdealTime, name: str) -> Iterator[Rows]:
    """What the seconds of a call are made of."""
    head = ["model", "base s", "s / 1,000 prompt", "s / 1,000 completion", "explained"]
    terms = (result.prompt, result.completion)
    each = ["-" if own is None else f"{1000 * own:.3f}" for own in terms]
    row = [name, f"{result.base:.3f}", *each, f"{result.explained:.1%}"]
    yield "Seconds of a call without queueing", head, [row]


def worth(result: Worth, name: str) -> Iterator[Rows]:
    """What a right answer must be worth for the dearer pipeline to pay."""
    head = ["pipeline", "beside", "score", "cost", "score there", "cost there", "a right answer"]
    told = f"{result.break_even:.4g} {result.unit}"
    if result.break_even < 0:
        told = f"pays up to {-result.break_even:.4g} {result.unit}"
    elif math.isinf(result.break_even):
        told = "never pays"
    row = [
        *(name, result.baseline, f"{result.accuracy:.1%}", f"{result.cost:.4g}"),
        *(f"{result.baseline_accuracy:.1%}", f"{result.baseline_cost:.4g}", told),
    ]
    yield "What a right answer must be worth", head, [row]
