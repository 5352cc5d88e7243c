"""How figures are written in tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ...evaluation.intervals import Interval

__all__ = ["MOST_PAIRS", "Rows", "each_of", "number_of", "points_of", "share_of"]

Rows: TypeAlias = "tuple[str, Sequence[str], list[Sequence[str]]]"
"""A table: its title, its head and its rows."""

MOST_PAIRS = 15
"""Pairs that a table lists, most alike first; JSON holds all."""


def each_of(told: float | None) -> str:
    """A difference of shares, in points."""
    return "-" if told is None else f"{100 * told:+.2f}"


def share_of(told: Interval | None) -> str:
    """A share with its interval, in percent."""
    if told is None:
        return "-"
    return f"{told.estimate:.1%} [{100 * told.low:.1f}, {100 * told.high:.1f}]"


def points_of(told: Interval | None) -> str:
    """A difference of shares with its interval, in points."""
    if told is None:
        return "-"
    return f"{100 * told.estimate:+.1f} [{100 * told.low:+.1f}, {100 * told.high:+.1f}]"


def number_of(told: Interval | None) -> str:
    """A number with its interval."""
    return "-" if told is None else f"{told.estimate:.3f} [{told.low:.3f}, {told.high:.3f}]"
