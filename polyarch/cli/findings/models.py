"""Tables of models beside each other."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...evaluation.analysis.models import Errors
from ...evaluation.analysis.subsets import Ensembles
from .words import MOST_PAIRS, Rows, share_of

__all__ = ["ensembles", "errors"]


def errors(result: Errors, name: str) -> Iterator[Rows]:
    """Accuracy of models, and how far they err together."""
    best = sorted(range(len(result.models)), key=lambda row: -result.accuracy[row])
    rows = [[result.models[row], f"{result.accuracy[row]:.1%}"] for row in best]
    rows.append([f"all wrong together ({result.items:,} questions)", f"{result.together:.1%}"])
    rows.append(["  were errors independent", f"{result.independent:.1%}"])
    yield "Models", ["model", "right"], list(rows)
    pairs = [(a, b) for a in range(len(best)) for b in range(a)]
    pairs = [pair for pair in pairs if not math.isnan(result.correlation[pair])]
    pairs.sort(key=lambda pair: -result.correlation[pair])
    yield (
        "Errors together, most alike first",
        ["models", "correlation", "same wrong answer"],
        [
            [
                f"{result.models[b]} & {result.models[a]}",
                f"{result.correlation[a, b]:.3f}",
                f"{result.same[a, b]:.1%}",
            ]
            for a, b in pairs[:MOST_PAIRS]
        ],
    )


def ensembles(result: Ensembles, name: str) -> Iterator[Rows]:
    """The best few models by size."""
    head = ["rule", "models", "found", "chosen on", "held out [95%]", "which"]
    rows = []
    for how, found, held in (
        ("", result.best, result.held_out),
        ("greedy", result.greedy, result.greedy_held_out),
    ):
        for own, share in zip(found, held, strict=True):
            means = "exact" if own.exact else "greedy"
            if how and means == "exact":
                continue
            row = [name, str(len(own.models)), means, f"{own.accuracy:.1%}", share_of(share)]
            rows.append([*row, ", ".join(own.models)])
    yield "Ensembles, chosen on one half of the questions", head, list(rows)
