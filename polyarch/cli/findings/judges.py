"""Tables of judges of pairs."""

from __future__ import annotations

from collections.abc import Iterator

from ...evaluation.analysis.judges import Agreement, Judge
from .words import MOST_PAIRS, Rows, points_of, share_of

__all__ = ["agreement", "judge"]


def judge(result: Judge, name: str) -> Iterator[Rows]:
    """Accuracy and biases of a judge of pairs."""
    head = ["judge", "pairs", "accuracy", "same in both orders", "first, of the rest", "p"]
    shares = [share_of(own) for own in (result.accuracy, result.consistent, result.first)]
    row = [name, str(result.pairs), *shares, f"{result.order_p:.2g}", share_of(result.longer)]
    more = ["longer wins", "length bias", "silent"]
    yield "Judges", [*head, *more], [[*row, points_of(result.length_bias), str(result.silent)]]


def agreement(result: Agreement, name: str) -> Iterator[Rows]:
    """How far judges agree beyond chance."""
    most = sorted(result.cohen.items(), key=lambda own: -own[1])
    rows = [[name, f"{result.fleiss:.3f}"]]
    rows += [[f"{one} & {other}", f"{kappa:.3f}"] for (one, other), kappa in most[:MOST_PAIRS]]
    yield "Agreement beyond chance, most alike first", ["judges", "kappa"], list(rows)
