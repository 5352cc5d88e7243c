"""The report as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from .report import Report
from .summary import Summary
from .words import amount, dollars, is_share, points, ratio, seconds, share, title

__all__ = ["show"]


def show(report: Report, console: Console) -> None:
    """Print the report."""
    console.print(f"[bold]{title(report)}[/bold]", highlight=False)
    for table in _tables(report):
        console.print()
        console.print(table, highlight=False)
    if report.notes:
        console.print()
    for note in report.notes:
        console.print(f"note: {note}", highlight=False, markup=False)


def _tables(report: Report) -> Iterator[Table]:
    percent = is_share(report)
    yield _scores(report, percent)
    if report.comparisons:
        yield _comparisons(report, percent)
    chosen = [one for one in report.summaries if one.choosing is not None]
    if chosen:
        yield _choosing(chosen, percent)
    yield _costs(report)
    if any(one.calibration for one in report.summaries):
        yield _calibration(report)
    if any(one.slices for one in report.summaries):
        yield _slices(report, percent)


def _table(title: str, head: Sequence[str], left: int = 1) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(head):
        table.add_column(name, justify="left" if place < left else "right", overflow="fold")
    return table


def _scores(report: Report, percent: bool) -> Table:
    several = len(report.seeds) > 1
    seeds = [f"seed {seed}" for seed in report.seeds] if several else []
    judged = any(one.length_controlled is not None for one in report.summaries)
    by_length = ["at equal length"] if judged else []
    head = ["pipeline", "score [95%]", *seeds, *by_length, "no answer", "errors", "stopped early"]
    table = _table("Scores", head)
    for one in report.summaries:
        own = [f"{one.by_seed.get(seed, 0):.1%}" for seed in report.seeds] if several else []
        own += [f"{one.length_controlled:.1%}"] if one.length_controlled is not None else []
        errors = ", ".join(f"{count} {code}" for code, count in one.errors.items()) or "0"
        row = [share(one.score, percent), *own, str(one.unparsed), errors, str(one.stopped)]
        table.add_row(one.name, *row)
    if len(report.summaries) > 1:
        table.add_row("any of these (oracle)", f"{report.oracle:.1%}" if percent else "")
    return table


def _comparisons(report: Report, percent: bool) -> Table:
    head = ["pipeline", "less", "difference [95%]", "wins", "losses", "p", "calls", "tokens", "usd"]
    table = _table("Differences, question by question, and how many times the cost", head, left=2)
    for one in report.comparisons:
        told = points(one.difference, percent)
        table.add_row(
            one.name,
            one.baseline,
            f"[bold]{told}[/bold]" if one.sure else told,
            str(one.wins),
            str(one.losses),
            f"{one.p:.2g}",
            ratio(one.calls),
            ratio(one.tokens),
            ratio(one.usd),
        )
    return table


def _choosing(chosen: Sequence[Summary], percent: bool) -> Table:
    head = ["pipeline", "draws", "one draw", "plurality", "selected", "best draw", "gap", "silent"]
    table = _table("Choosing among draws", head)
    for one in chosen:
        found = one.choosing
        assert found is not None
        values = (found.one, found.plurality, one.score.estimate, found.oracle, found.gap)
        shown = [f"{value:.1%}" if percent else f"{value:.3f}" for value in values]
        table.add_row(one.name, amount(found.draws), *shown, f"{found.silent:,}")
    return table


def _costs(report: Report) -> Table:
    head = ["pipeline", "calls", "prompt", "completion", "usd", "all usd", "p50", "p90", "p99"]
    table = _table("Cost of a question", head)
    for one in report.summaries:
        cost = one.cost
        counts = (cost.calls, cost.prompt_tokens, cost.completion_tokens)
        money = (dollars(cost.usd), dollars(cost.total_usd))
        times = (cost.p50, cost.p90, cost.p99)
        table.add_row(one.name, *map(amount, counts), *money, *map(seconds, times))
    return table


def _calibration(report: Report) -> Table:
    table = _table("Calibration of stated scores", ["pipeline", "score", "ECE", "Brier"], left=2)
    for one in report.summaries:
        for name, found in one.calibration.items():
            table.add_row(one.name, name, f"{found.ece:.3f}", f"{found.brier:.3f}")
    return table


def _slices(report: Report, percent: bool) -> Table:
    names = [one.name for one in report.summaries]
    table = _table("Parts of the data", ["field", "value", "questions", *names], left=2)
    found = {(s.field, s.value): s for one in report.summaries for s in one.slices}
    by = {(one.name, s.field, s.value): s for one in report.summaries for s in one.slices}
    for (field, value), part in found.items():
        own = [by.get((name, field, value)) for name in names]
        shown = [share(s.score, percent) if s is not None else "" for s in own]
        table.add_row(field, value, str(part.questions), *shown)
    return table
