"""The report of a search as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from .found import Found
from .output import figures, points, told
from .trial import Trial

__all__ = ["importance", "page"]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#1b1f24}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;text-align:right}
td:first-child,th:first-child{text-align:left}tr:nth-child(even){background:#f4f6f8}
pre{background:#f4f6f8;padding:1em;overflow:auto}svg{display:block;margin:1em 0}
text{font:11px system-ui,sans-serif;fill:#57606a}.line{fill:none;stroke:#0969da;stroke-width:1.5}
.best{fill:#0969da}.other{fill:#afb8c1}.axis{stroke:#d0d7de}.thin{fill:none;stroke:#afb8c1;opacity:.6}
"""
_WIDTH, _HEIGHT, _EDGE = 720, 240, 44


def page(name: str, found: Found) -> str:
    """The page: figures, history, front, importance, parallel coordinates, spending, ablation, and
    the winner."""
    parts = [
        f"<h1>{escape(name)}</h1>",
        "<ul>" + "".join(f"<li>{escape(line.strip())}</li>" for line in figures(found)) + "</ul>",
        "<h2>The winner</h2>",
        f"<pre>{escape(found.text)}</pre>",
        _contest(found),
        "<h2>History</h2><p>Each point tried, by when; the line is the best so far. Values rest on "
        "as many questions as the point was asked.</p>",
        _history(found),
        "<h2>Score and cost</h2><p>Calls of a question, and the score; the front is dark.</p>",
        _front(found),
        "<h2>Importance</h2><p>How much of the variance between points each hole explains, alone."
        "</p>",
        _importance(found),
        "<h2>All points</h2>",
        _parallel(found),
        _spending(found),
        _ablation(found),
    ]
    title = f"<title>{escape(name)} · polyarch search</title>"
    head = f'<meta charset="utf-8">{title}<style>{_STYLE}</style>'
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _asked(found: Found) -> list[Trial]:
    return sorted((t for t in found.trials if t.asked), key=lambda t: t.number)


def _history(found: Found) -> str:
    trials, aim = _asked(found), found.aims[0]
    values = [trial.value(aim) for trial in trials]
    best, line = float("-inf"), []
    for trial, value in zip(trials, values, strict=True):
        # Few questions say little: the line is drawn by those that came through.
        best = max(best, value) if trial.state == "done" else best
        line.append(best)
    xs = [float(trial.number) for trial in trials]
    return _plot(xs, values, [t.state == "done" for t in trials], "trial", str(aim), line)


def _front(found: Found) -> str:
    trials = _asked(found)
    front = {trial.key for trial in found.front}
    xs = [trial.cost("calls") for trial in trials]
    values = [trial.value(found.aims[0]) for trial in trials]
    return _plot(xs, values, [t.key in front for t in trials], "calls a question", "value")


def _plot(
    xs: Sequence[float],
    ys: Sequence[float],
    dark: Sequence[bool],
    across: str,
    up: str,
    line: Sequence[float] = (),
) -> str:
    x, y = _scale(xs, _EDGE, _WIDTH - 10), _scale(ys, _HEIGHT - _EDGE, 10)
    marks = "".join(
        f'<circle class="{"best" if d else "other"}" cx="{x(a):.1f}" cy="{y(b):.1f}" r="3"/>'
        for a, b, d in zip(xs, ys, dark, strict=True)
    )
    drawn = " ".join(
        f"{x(a):.1f},{y(b):.1f}" for a, b in zip(xs, line, strict=False) if b > float("-inf")
    )
    labels = (
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 8}">{escape(across)}</text>'
        f'<text x="4" y="12">{escape(up)}</text>'
        f'<text x="4" y="{_HEIGHT - _EDGE}">{min(ys):.3g}</text>'
        f'<text x="4" y="28">{max(ys):.3g}</text>'
        f'<text x="{_EDGE}" y="{_HEIGHT - 24}">{min(xs):.3g}</text>'
        f'<text x="{_WIDTH - 50}" y="{_HEIGHT - 24}">{max(xs):.3g}</text>'
    )
    return _svg(f'{marks}<polyline class="line" points="{drawn}"/>{labels}')


def _svg(inside: str, height: int = _HEIGHT) -> str:
    return f'<svg width="{_WIDTH}" height="{height}" role="img">{inside}</svg>'


class _Scale:
    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low, self._high = min(values), max(values)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        span = self._high - self._low
        share = (value - self._low) / span if span else 0.5
        return self._start + share * (self._end - self._start)


def _scale(values: Sequence[float], start: float, end: float) -> _Scale:
    return _Scale(values, start, end)


def importance(found: Found) -> list[tuple[str, float]]:
    """By hole, the share of the variance between points that lies between its values."""
    trials = _asked(found)
    values = [trial.value(found.aims[0]) for trial in trials]
    middle = sum(values) / len(values)
    whole = sum((value - middle) ** 2 for value in values) or 1.0
    names = dict.fromkeys(name for trial in trials for name, _ in found.choices[trial.key])
    made = []
    for name in names:
        groups: dict[str, list[float]] = {}
        for trial, value in zip(trials, values, strict=True):
            groups.setdefault(dict(found.choices[trial.key]).get(name, "—"), []).append(value)
        between = sum(len(g) * (sum(g) / len(g) - middle) ** 2 for g in groups.values())
        made.append((name, between / whole))
    return sorted(made, key=lambda pair: -pair[1])


def _importance(found: Found) -> str:
    bars = []
    told_ = importance(found)
    for place, (name, share) in enumerate(told_):
        y = 18 * place + 14
        bars.append(f'<text x="0" y="{y}">{escape(name)}</text>')
        bars.append(
            f'<rect class="best" x="220" y="{y - 10}" width="{400 * share:.1f}" height="11"/>'
        )
        bars.append(f'<text x="{226 + 400 * share:.1f}" y="{y}">{share:.0%}</text>')
    return _svg("".join(bars), 18 * len(told_) + 10)


def _parallel(found: Found) -> str:
    trials = _asked(found)
    names = list(dict.fromkeys(n for t in trials for n, _ in found.choices[t.key]))
    levels = {
        name: sorted({dict(found.choices[t.key]).get(name, "—") for t in trials}) for name in names
    }
    step = (_WIDTH - 120) / max(1, len(names))
    lines = []
    for trial in reversed(found.trials):
        if not trial.asked:
            continue
        chosen = dict(found.choices[trial.key])
        spots = []
        for place, name in enumerate(names):
            options = levels[name]
            share = (options.index(chosen.get(name, "—")) + 0.5) / len(options)
            spots.append(f"{60 + step * place:.1f},{20 + share * 170:.1f}")
        best = trial.key == found.best.key
        lines.append(f'<polyline class="{"line" if best else "thin"}" points="{" ".join(spots)}"/>')
    labels = "".join(
        f'<text transform="translate({60 + step * place:.1f},205) rotate(20)">{escape(name)}</text>'
        for place, name in enumerate(names)
    )
    return _svg("".join(lines) + labels, 290)


def _contest(found: Found) -> str:
    if not found.test:
        return ""
    head = ("on locked questions", "questions", "score", "winner's gain", "calls", "tokens")
    gains = {name: points(gain) for name, gain in found.gains.items()}
    rows = [
        (
            one.name,
            str(len(one.marks)),
            told(one.score),
            gains.get(one.name, ""),
            f"{one.cost('calls'):.1f}",
            f"{one.cost('tokens'):,.0f}",
        )
        for one in found.test
    ]
    return _table(head, rows)


def _spending(found: Found) -> str:
    head = ("spent on", "calls")
    by_state: dict[str, int] = {}
    for trial in found.trials:
        by_state[trial.state] = by_state.get(trial.state, 0) + trial.paid
    tried = sum(by_state.values())
    rows = [(f"trials that were {state}", f"{paid:,}") for state, paid in by_state.items() if paid]
    rows.append(("the test, and what was under way", f"{max(0, found.calls - tried):,}"))
    return "<h2>Spending</h2>" + _table(head, rows)


def _ablation(found: Found) -> str:
    if not found.ablation:
        return ""
    head = ("change", "questions", "loss", "calls saved", "tokens saved", "loss per 1,000 tokens")
    rows = []
    for one in found.ablation:
        if one.loss is None:
            rows.append((one.change, "", one.why, "", "", ""))
            continue
        worth = "" if one.worth is None else f"{100 * one.worth:+.2f} points"
        saved = (f"{one.calls_saved:.1f}", f"{one.tokens_saved:,.0f}", worth)
        rows.append((one.change, str(one.questions), points(one.loss), *saved))
    note = "<p>The winner with less in it, on the draws that are in the bank.</p>"
    return "<h2>What each step is worth</h2>" + note + _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "<table>" + "".join(_rows(head, rows)) + "</table>"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
