"""How far a run is, on a terminal. Drawn from events and nothing else."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TextIO

from .events import Event

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Progress", "shown"]

_PATIENCE = 1.0
"""Seconds before anything is shown: a run that is over by then needs no progress."""


class Progress:
    """Counts what events tell. A listener; prints as one line.

    `calls` are draws that were answered, `under_way` those asked and not answered yet; `tokens` and
    `usd` are what the events say was spent.
    """

    def __init__(self, total: int | None = None) -> None:
        """`total` is how many questions are coming, if that is known."""
        self.total = total
        self.done = 0
        self.calls = 0
        self.tokens = 0
        self.usd = 0.0
        self._open: dict[str, int] = {}
        """Draws under way, by question: what a question left open is over when it ends."""

    @property
    def under_way(self) -> int:
        """Draws that were asked for and have not come."""
        return sum(self._open.values())

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        data, question = event.data, event.question
        match event.what:
            case "asked":
                self._open[question] = self._open.get(question, 0) + _whole(data.get("draws"))
            case "drew":
                self._open[question] = self._open.get(question, 0) - 1
                self.calls += 1
                self.tokens += _whole(data.get("prompt")) + _whole(data.get("tokens"))
                self.usd += _amount(data.get("usd"))
            case "ended" | "failed":
                self._open.pop(question, None)
                self.done += event.what == "ended"

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total:,}"
        parts = [
            f"{self.done:,}{of} questions",
            f"{self.calls:,} calls",
            f"{self.tokens:,} tokens",
            *([f"${self.usd:.4g}"] if self.usd else []),
            f"{self.under_way:,} under way",
        ]
        return " · ".join(parts)

    def __rich__(self) -> str:
        return str(self)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _amount(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


@asynccontextmanager
async def shown(progress: Progress, stream: TextIO | None = None) -> AsyncIterator[Progress]:
    """Show a progress line while inside, from the second second on; on a terminal only.

    The line is on standard error, unless `stream` says otherwise, and is gone afterwards.
    """
    target = sys.stderr if stream is None else stream
    if not target.isatty():
        yield progress
        return
    drawing = asyncio.create_task(_draw(progress, target))
    try:
        yield progress
    finally:
        drawing.cancel()
        await asyncio.wait([drawing])


async def _draw(progress: Progress, target: TextIO) -> None:
    await asyncio.sleep(_PATIENCE)
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.table import Table

    line = Table.grid(padding=(0, 1))
    line.add_row(Spinner("dots"), progress)
    with Live(line, console=_console(target), transient=True, refresh_per_second=8):
        await asyncio.get_running_loop().create_future()


def _console(target: TextIO) -> Console:
    from rich.console import Console

    return Console(file=target)
