"""How numbers of a report are written."""

from __future__ import annotations

from ..intervals import Interval
from .report import Report

__all__ = ["amount", "dollars", "is_share", "points", "ratio", "seconds", "share", "title"]


def share(interval: Interval, percent: bool) -> str:
    """A mean with its interval: as percentages, or as it is where scores are no shares."""
    if not percent:
        return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
    return f"{interval.estimate:.1%} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def points(interval: Interval, percent: bool) -> str:
    """A difference with its interval, in percentage points where scores are shares."""
    scale, places = (100, 1) if percent else (1, 3)
    told = [f"{scale * one:+.{places}f}" for one in interval]
    return f"{told[0]} [{told[1]}, {told[2]}]"


def amount(value: float) -> str:
    """A mean count: with a decimal below 100, with thousands separators above."""
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def dollars(value: float) -> str:
    """Dollars to three digits; a dash for none, which is also what an unknown price looks like."""
    return f"${value:.3g}" if value else "—"


def seconds(value: float) -> str:
    """Seconds, or milliseconds below one tenth."""
    return f"{value * 1000:.3g} ms" if value < 0.1 else f"{value:.3g} s"


def ratio(value: float | None) -> str:
    """How many times as much; a dash where there is nothing to compare with."""
    return "—" if value is None else f"×{value:.3g}"


def title(report: Report) -> str:
    """What was evaluated, in one line."""
    split = f", {report.split} split" if report.split else ""
    seeds = f", {len(report.seeds)} seeds" if len(report.seeds) > 1 else ""
    return f"{report.data}{split}: {report.items:,} questions{seeds}, metric {report.metric}"


def is_share(report: Report) -> bool:
    """Whether all scores lie between 0 and 1, and may be told as percentages."""
    return all(0 <= bound <= 1 for one in report.summaries for bound in one.score)
