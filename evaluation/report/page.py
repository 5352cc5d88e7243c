"""The report as one HTML page that needs nothing else: no network, no scripts, no other file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from .report import Report
from .summary import Summary
from .svg import Point, curves, forest, reliability, scatter
from .words import amount, dollars, is_share, points, ratio, seconds, share, title

__all__ = ["page"]

_MANY = 12
"""With more pipelines, slices and calibration are shown for the best alone."""


def page(report: Report) -> str:
    """The page."""
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    parts = {
        "{{title}}": escape(f"{report.data} · polyarch evaluation"),
        "{{data}}": escape(report.data),
        "{{what}}": escape(title(report)),
        "{{body}}": "\n".join(_sections(report)),
    }
    for name, text in parts.items():
        before, after = template.split(name)
        template = before + text + after
    return template


def _sections(report: Report) -> Iterator[str]:
    percent = is_share(report)
    ranked = sorted(report.summaries, key=lambda one: -one.score.estimate)
    if report.notes:
        yield "<ul>" + "".join(f"<li>{escape(note)}</li>" for note in report.notes) + "</ul>"
    yield _scores(report, ranked, percent)
    if report.comparisons:
        yield _comparisons(report, percent)
    yield from _choosing([one for one in ranked if one.choosing is not None], percent)
    yield _costs(report, ranked, percent)
    shown = ranked[:_MANY]
    if any(one.calibration for one in shown):
        yield _calibration(shown)
    if any(one.slices for one in shown):
        yield _slices(shown, percent)
    yield _about(report)


def _scores(report: Report, ranked: Sequence[Summary], percent: bool) -> str:
    several = len(report.seeds) > 1
    seeds = [f"seed {seed}" for seed in report.seeds] if several else []
    judged = any(one.length_controlled is not None for one in ranked)
    rows = [
        [
            one.name,
            share(one.score, percent),
            *([f"{one.length_controlled or 0:.1%}"] if judged else []),
            *(f"{one.by_seed.get(seed, 0):.1%}" for seed in report.seeds if several),
            f"{one.unparsed:,}",
            _errors(one),
            f"{one.stopped:,}",
        ]
        for one in ranked
    ]
    told = "The mean score of each pipeline, with its 95% interval over the questions."
    if len(ranked) > 1:
        told += f" At least one of them is right on {report.oracle:.1%}." if percent else ""
    plot = forest([(one.name, one.score) for one in ranked], "score", percent=percent)
    by_length = ["at equal length"] if judged else []
    head = ["pipeline", "score [95%]", *by_length, *seeds, "no answer", "errors", "stopped early"]
    return _section("Scores", told, _box(plot), _table(head, rows))


def _errors(one: Summary) -> str:
    return ", ".join(f"{count:,} {code}" for code, count in one.errors.items()) or "0"


def _comparisons(report: Report, percent: bool) -> str:
    several = len({one.baseline for one in report.comparisons}) > 1
    named = [
        (f"{one.name} − {one.baseline}" if several else one.name, one.difference)
        for one in report.comparisons
    ]
    head = ["pipeline", "less", "difference [95%]", "wins", "losses", "p", "calls", "tokens", "usd"]
    rows = [
        [
            one.name,
            one.baseline,
            points(one.difference, percent),
            f"{one.wins:,}",
            f"{one.losses:,}",
            f"{one.p:.2g}",
            ratio(one.calls),
            ratio(one.tokens),
            ratio(one.usd),
        ]
        for one in report.comparisons
    ]
    told = (
        "Differences question by question, with 95% bootstrap intervals; coloured where they "
        "leave out 0. The p-value is that of a sign test, adjusted by Holm. The last columns say "
        "how many times as much a question took."
    )
    less = "" if several else f" over {report.comparisons[0].baseline}"
    plot = forest(named, f"gain{less}", percent=percent, zero=True)
    return _section("Comparisons", told, _box(plot), _table(head, rows, words=2))


def _choosing(chosen: Sequence[Summary], percent: bool) -> Iterator[str]:
    if not chosen:
        return
    rows = []
    for one in chosen:
        found = one.choosing
        assert found is not None
        values = (found.one, found.plurality, one.score.estimate, found.oracle, found.gap)
        shown = [f"{value:.1%}" if percent else f"{value:.3f}" for value in values]
        counts = [f"{found.silent:,}", f"{found.discordant:,}"]
        rows.append([one.name, amount(found.draws), amount(found.distinct), *shown, *counts])
    head = ["pipeline", "draws", "distinct", "one draw", "plurality", "selected", "best draw"]
    told = (
        "What choosing among the draws of a question was worth: a draw on average, the most "
        "frequent answer, what was selected, and the best there was (the oracle)."
    )
    lines = {
        one.name: one.choosing.pass_at
        for one in chosen[:8]
        if one.choosing is not None and len(one.choosing.pass_at) > 1
    }
    plot = _box(curves(lines, "draws (pass@k, unbiased)")) if lines else ""
    table = _table([*head, "gap", "silent draws", "discordant"], rows)
    yield _section("Choosing among draws", told, plot, table)


def _costs(report: Report, ranked: Sequence[Summary], percent: bool) -> str:
    money = all(one.cost.usd for one in ranked)
    tokens = all(one.cost.tokens for one in ranked)
    unit = "dollars" if money else "tokens" if tokens else "calls"
    plot = ""
    spent = {
        one.name: one.cost.usd if money else one.cost.tokens if tokens else one.cost.calls
        for one in ranked
    }
    if len(set(spent.values())) > 1:
        marks = [Point(one.name, spent[one.name], one.score) for one in ranked[: 2 * _MANY]]
        plot = _box(scatter(marks, f"{unit} a question", percent=percent))
    head = ["pipeline", "calls", "prompt", "completion", "usd", "usd of all", "p50", "p90", "p99"]
    rows = [
        [
            one.name,
            *map(amount, (one.cost.calls, one.cost.prompt_tokens, one.cost.completion_tokens)),
            dollars(one.cost.usd),
            dollars(one.cost.total_usd),
            *map(seconds, (one.cost.p50, one.cost.p90, one.cost.p99)),
        ]
        for one in ranked
    ]
    told = "What a question took on average, and the wall time of half, 90% and 99% of them."
    judged = sum(one.cost.judging_calls for one in ranked)
    if judged:
        usd = sum(one.cost.judging_usd for one in ranked)
        told += f" Judging took another {judged:,} calls ({dollars(usd)}), not in here."
    return _section("Cost", told, plot, _table(head, rows))


def _calibration(shown: Sequence[Summary]) -> str:
    plots, rows = [], []
    for one in shown:
        for name, found in one.calibration.items():
            bins = [(b.count, b.confidence, b.accuracy) for b in found.bins]
            plots.append(_box(reliability(bins, f"{one.name}: {name}")))
            rows.append([one.name, name, f"{found.ece:.3f}", f"{found.brier:.3f}"])
    told = (
        "Whether a score that results carry is as often right as it says. ECE is the mean distance "
        "from the diagonal, Brier the mean squared error; both are 0 at best."
    )
    table = _table(["pipeline", "score", "ECE", "Brier"], rows, words=2)
    return _section("Calibration", told, f'<div class="side">{"".join(plots)}</div>', table)


def _slices(shown: Sequence[Summary], percent: bool) -> str:
    by = {(one.name, s.field, s.value): s for one in shown for s in one.slices}
    parts = {(s.field, s.value): s.questions for one in shown for s in one.slices}
    rows = [
        [
            field,
            value,
            f"{questions:,}",
            *(
                share(by[one.name, field, value].score, percent)
                if (one.name, field, value) in by
                else ""
                for one in shown
            ),
        ]
        for (field, value), questions in parts.items()
    ]
    head = ["field", "value", "questions", *(one.name for one in shown)]
    told = "The same scores over parts of the data. Small parts have wide intervals."
    return _section("Parts of the data", told, _table(head, rows, words=2))


def _about(report: Report) -> str:
    looks = report.looks
    told = [
        f"Data <code>{report.fingerprint[:16]}</code> (SHA-256 of the items).",
        f"Looks at this data so far: {looks.dev} at dev, {looks.test} at test, "
        f"{looks.whole} at all of it." + (" The test split was reopened." if looks.again else ""),
    ]
    failed = [one for one in report.summaries if one.first_error]
    told += [f"First error of {escape(o.name)}: {escape(o.first_error[:300])}" for o in failed[:8]]
    return _section("About", "", "<ul>" + "".join(f"<li>{one}</li>" for one in told) + "</ul>")


def _section(name: str, told: str, *parts: str) -> str:
    about = f'<p class="soft">{escape(told)}</p>' if told else ""
    return f"<section><h2>{name}</h2>{about}{''.join(parts)}</section>"


def _box(inner: str) -> str:
    return f'<div class="box">{inner}</div>' if inner else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=word' * (place < words)}>{escape(cell)}</{tag}>"
            for place, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return _box(f"<table><thead><tr>{cells(head, 'th')}</tr></thead><tbody>{body}</tbody></table>")
