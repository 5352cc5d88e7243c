"""How far a search is, on a terminal: the best so far, the front, what was spent, what is left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .trial import Trial

if TYPE_CHECKING:
    from rich.console import Group

    from .search import Work

__all__ = ["Display"]

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Seen:
    """Where it was at the last step of a trial: parts of a line, rows of a table, and on this
    clock when the time is over."""

    parts: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    over: float | None


class Display:
    """Told of every step of a trial. Draws as a table of the best points.

    It is drawn by a thread, perhaps after the search has ended, so it looks at the search only when
    it is told.
    """

    def __init__(self) -> None:
        self._seen: _Seen | None = None

    def __call__(self, trial: Trial, work: Work) -> None:
        """Take a step of a trial in."""
        left = work.account.seconds_left
        over = None if left is None else time.monotonic() + left
        self._seen = _Seen(tuple(_parts(work)), tuple(_rows(work)), over)

    def line(self) -> str:
        """Where it is, in a line."""
        seen = self._seen
        if seen is None:
            return "the first questions are asked"
        left = [] if seen.over is None else [max(0.0, seen.over - time.monotonic())]
        return " · ".join((*seen.parts, *(f"{seconds:,.0f} seconds left" for seconds in left)))

    def __rich__(self) -> Group:
        from rich.console import Group
        from rich.table import Table

        made = Table(box=None)
        for column in ("trial", "value", "questions", "calls", "chosen"):
            made.add_column(column, justify="left" if column == "chosen" else "right")
        for row in () if self._seen is None else self._seen.rows:
            made.add_row(*row)
        return Group(self.line(), made)


def _parts(work: Work) -> list[str]:
    history, aims, limits = work.history, work.wanted.aims, work.wanted.limits
    paid, leader = work.record.used(), history.leader
    told = [f"{sum(trial.state != 'refused' for trial in history):,} points tried"]
    if leader is not None:
        told.append(f"best {leader.value(aims[0]):.3f} on {len(leader.marks)} questions")
    if len(aims) > 1:
        told.append(f"{len(history.front)} on the front")
    told.append(f"{_of(paid.calls, limits.calls)} calls")
    told.append(f"{_of(paid.tokens, limits.tokens)} tokens")
    if paid.usd:
        told.append(f"${_of(paid.usd, limits.usd, '.4g')}")
    return told


def _rows(work: Work) -> list[tuple[str, ...]]:
    """The best points, or those of the front."""
    alone = len(work.wanted.aims) == 1
    shown = work.history.ranked() if alone else work.history.front
    return [
        (
            str(trial.number),
            f"{trial.value(work.wanted.aims[0]):.3f}",
            str(len(trial.marks)),
            f"{trial.cost('calls'):.1f}",
            ", ".join(f"{name} {value}" for name, value in work.space.told(trial.choice)),
        )
        for trial in shown[:_SHOWN]
    ]


def _of(spent: float, limit: float | None, form: str = ",") -> str:
    """What was spent, of how much if that is limited."""
    return format(spent, form) if limit is None else f"{format(spent, form)} of {limit:{form}}"
