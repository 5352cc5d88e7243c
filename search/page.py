"""The report of a search as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from .drawing import drawing
from .found import Found
from .output import figures, points, told
from .plots import bars, parallel, scatter
from .trial import Trial

__all__ = ["importance", "page"]

_STYLE = """
:root{--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--fill:#f4f6f8;--blue:#0969da;--grey:#afb8c1}
body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;
color:var(--ink);background:#fff}
h2{margin-top:2em;border-bottom:1px solid var(--line)}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;text-align:right}
td:first-child,th:first-child{text-align:left}tr:nth-child(even){background:var(--fill)}
pre{background:var(--fill);padding:1em;overflow:auto}
svg{display:block;margin:1em 0;width:100%;overflow:visible}
text{font:11px system-ui,sans-serif;fill:var(--soft)}text.end{text-anchor:end}
text.middle{text-anchor:middle}text.name{font-weight:600;fill:var(--ink)}
.line{fill:none;stroke:var(--blue);stroke-width:1.5}.best{fill:var(--blue)}.other{fill:var(--grey)}
.axis{stroke:var(--line)}.thin{fill:none;stroke:var(--grey);opacity:.5}
.step{fill:var(--fill);stroke:var(--line)}.out .step{stroke:var(--blue);stroke-width:2}
.arrow{fill:none;stroke:var(--soft)}marker path{fill:var(--soft)}
.note{color:var(--soft)}
"""


def page(name: str, found: Found) -> str:
    """The page: figures, the winner, history, front, importance, parallel coordinates, spending,
    and ablation."""
    parts = [
        f"<h1>{escape(name)}</h1>",
        "<ul>" + "".join(f"<li>{escape(line.strip())}</li>" for line in figures(found)) + "</ul>",
        "<h2>The winner</h2>",
        drawing(found.graph) if found.graph is not None else "",
        _contest(found),
        f"<details><summary>Its file</summary><pre>{escape(found.text)}</pre></details>",
        _ablation(found),
        _section("History", _questions(found), _history(found)),
        _section(
            "Score and cost",
            "Each point by its cost; the front is dark.",
            _cost(found),
        ),
        _front(found),
        _section(
            "Importance",
            "How much of the variance between points each hole explains, alone. Points are not a "
            "sample of the space: the better parts of it were tried more.",
            bars(importance(found)),
        ),
        _section("All points", "A line for each point; the winner is dark.", _parallel(found)),
        _spending(found),
    ]
    title = f"<title>{escape(name)} · polyarch search</title>"
    head = f'<meta charset="utf-8">{title}<style>{_STYLE}</style>'
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _section(title: str, note: str, inside: str) -> str:
    told_ = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<h2>{escape(title)}</h2>{told_}{inside}"


def _asked(found: Found) -> list[Trial]:
    return sorted((t for t in found.trials if t.asked), key=lambda t: t.number)


def _questions(found: Found) -> str:
    """On how many questions values rest."""
    counts = [len(trial.marks) for trial in _asked(found)]
    return (
        f"Each point tried, by when. Values rest on {min(counts)} to {max(counts)} questions; dark "
        "points came through the race, and the line is the best of these so far."
    )


def _history(found: Found) -> str:
    trials, aim = _asked(found), found.aims[0]
    values = [trial.value(aim) for trial in trials]
    best, line = float("-inf"), []
    for trial, value in zip(trials, values, strict=True):
        # Few questions say little: the line is drawn by those that came through.
        best = max(best, value) if trial.state == "done" else best
        line.append(best)
    xs = [float(trial.number) for trial in trials]
    labels = [_label(found, trial) for trial in trials]
    return scatter(xs, values, [t.state == "done" for t in trials], "trial", str(aim), labels, line)


def _cost(found: Found) -> str:
    trials = _asked(found)
    unit = next((aim.least for aim in found.aims if aim.least), "calls")
    front = {trial.key for trial in found.front}
    xs = [trial.cost(unit) for trial in trials]
    values = [trial.value(found.aims[0]) for trial in trials]
    dark = [trial.key in front for trial in trials]
    labels = [_label(found, trial) for trial in trials]
    return scatter(xs, values, dark, f"{unit} a question", str(found.aims[0]), labels)


def _label(found: Found, trial: Trial) -> str:
    chosen = ", ".join(f"{name}: {value}" for name, value in found.choices[trial.key])
    value = trial.value(found.aims[0])
    return f"trial {trial.number}, {value:.3f} on {len(trial.marks)} questions, {chosen}"


def _front(found: Found) -> str:
    """With several objectives, the pipelines that no other beats in all of them."""
    if len(found.aims) < 2:
        return ""
    head = ("file", "trial", "questions", *map(str, found.aims))
    rows = [
        (
            f"front/{place:02}.yaml",
            str(trial.number),
            str(len(trial.marks)),
            *(f"{trial.value(aim):.4g}" for aim in found.aims),
        )
        for place, trial in enumerate(found.front, start=1)
    ]
    note = "Nothing that was tried beats one of these in every objective."
    return _section("The front", note, _table(head, rows))


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


def _parallel(found: Found) -> str:
    trials = [trial for trial in reversed(found.trials) if trial.asked]
    rows = [dict(found.choices[trial.key]) for trial in trials]
    return parallel(rows, [trial.key == found.best.key for trial in trials])


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
    by_state: dict[str, int] = {}
    for trial in found.trials:
        by_state[trial.state] = by_state.get(trial.state, 0) + trial.paid
    tried = sum(by_state.values())
    rows = [(f"trials that were {state}", f"{paid:,}") for state, paid in by_state.items() if paid]
    rows.append(("the test, judges, and what was under way", f"{max(0, found.calls - tried):,}"))
    rows.append(("in all", f"{found.calls:,}"))
    by_step = [
        (step, f"{spent.calls:,}", f"{spent.tokens:,}", f"${spent.usd:.4g}")
        for step, spent in sorted(found.spending.items(), key=lambda pair: -pair[1].tokens)
    ]
    return (
        _section("Spending", "", _table(("spent on", "calls"), rows))
        + '<p class="note">By step, in this run; replies out of the bank cost nothing.</p>'
        + _table(("step", "calls", "tokens", "dollars"), by_step)
    )


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
    note = "The winner with less in it, on the draws that are in the bank, paired by question."
    return _section("What each step is worth", note, _table(head, rows))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "<table>" + "".join(_rows(head, rows)) + "</table>"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
