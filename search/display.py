"""How far a search is, on a terminal: the best so far, the front, what was spent, what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .trial import Trial

if TYPE_CHECKING:
    from rich.table import Table

    from .search import Work

__all__ = ["Display"]

_SHOWN = 5


class Display:
    """Told of every step of a trial. Draws as a table of the best points."""

    def __init__(self) -> None:
        self._work: Work | None = None
        self._last: Trial | None = None

    def __call__(self, trial: Trial, work: Work) -> None:
        """Take a step of a trial in."""
        self._work, self._last = work, trial

    def line(self) -> str:
        """Where it is, in a line."""
        if self._work is None:
            return "the first questions are asked"
        work, history = self._work, self._work.history
        paid = work.record.used()
        left = work.account.seconds_left
        parts = [
            f"{sum(t.state != 'refused' for t in history):,} points tried",
            f"{paid.calls:,} calls",
            f"{paid.tokens:,} tokens",
            *([f"${paid.usd:.4g}"] if paid.usd else []),
            *([f"{left:,.0f} seconds left"] if left is not None else []),
        ]
        return " · ".join(parts)

    def __rich__(self) -> Table:
        from rich.table import Table

        made = Table(title=self.line(), box=None, title_justify="left")
        for column in ("trial", "value", "questions", "calls", "chosen"):
            made.add_column(column, justify="left" if column == "chosen" else "right")
        if self._work is None:
            return made
        work = self._work
        shown = work.history.ranked() if len(work.wanted.aims) == 1 else work.history.front
        for trial in shown[:_SHOWN]:
            chosen = ", ".join(f"{name} {value}" for name, value in work.space.told(trial.choice))
            made.add_row(
                str(trial.number),
                f"{trial.value(work.wanted.aims[0]):.3f}",
                str(len(trial.marks)),
                f"{trial.cost('calls'):.1f}",
                chosen,
            )
        return made
