"""A result as a notebook shows it: HTML that needs no script, no style sheet and no network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

from ..compiler.emit.notebook import FRAME
from ..compiler.emit.svg import short
from ..compiler.values import Json
from .result import Result
from .trace.outline import Made, Run, outline

__all__ = ["html"]

_ROWS = 64
"""Candidates shown at most."""
_CELL = "text-align:left;vertical-align:top;padding:3px 10px 3px 0;white-space:normal"
_SOFT = "opacity:.75"


class _Row(NamedTuple):
    """A candidate with all that became known of it."""

    made: Made
    model: str
    scores: Mapping[str, float]
    notes: Mapping[str, Json]
    chosen: bool


def html(result: Result) -> str:
    """Answer, what was spent, votes, and every candidate of every step."""
    parts = [_head(result), *_troubles(result), *_tally(result), *_table(_rows(result))]
    return f'<div style="{FRAME}">{"".join(parts)}</div>'


def _head(result: Result) -> str:
    usage = result.usage
    spent = [
        f"{usage.calls:,} calls",
        f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens",
        *([f"${usage.usd:.4g}"] if usage.usd else []),
        f"{result.seconds:.2f} s",
    ]
    said = str(result) or ("failed" if result.error else "no answer")
    return (
        f'<div style="{_SOFT}">{escape(short(result.question.text, 300))}</div>'
        f'<div style="font-size:17px;font-weight:600;margin:4px 0;white-space:pre-wrap">'
        f"{escape(short(said, 2000))}</div>"
        f'<div style="{_SOFT}">{" · ".join(spent)}</div>'
    )


def _troubles(result: Result) -> Iterator[str]:
    told = [str(result.error)] if result.error else []
    told += [f"stopped early: {result.stopped}"] if result.stopped else []
    told += [f"lost {one.step}[{one.place}]: {one.why}" for one in result.lost]
    for line in told:
        yield f"<div>{escape(short(line, 500))}</div>"


def _tally(result: Result) -> Iterator[str]:
    """The votes for each answer, as bars."""
    votes = result.best.notes.get("votes") if result.best is not None else None
    counts = [(answer, count) for answer, count in _pairs(votes) if count > 0]
    most = max((count for _, count in counts), default=0.0)
    for answer, count in counts[:_ROWS]:
        yield (
            f'<div style="display:flex;align-items:center;gap:8px;margin:2px 0">'
            f'<span style="min-width:6em;text-align:right">{escape(short(answer, 40))}</span>'
            f'<span style="background:#3b78b8;height:10px;border-radius:2px;'
            f'width:{max(2.0, 240 * count / most):.0f}px"></span>'
            f"<span>{count:,.3g}</span></div>"
        )


def _pairs(votes: Json) -> Iterator[tuple[str, float]]:
    for pair in votes if isinstance(votes, Sequence) else ():
        match pair:
            case [str(answer), int() | float() as count]:
                yield answer, float(count)


def _rows(result: Result) -> list[_Row]:
    """The candidates in the order that their texts came about."""
    chosen = {candidate.origin.key for candidate in result.candidates}
    return [row for run in outline(result.trace) for row in _told(run, chosen)]


def _told(run: Run, chosen: set[str]) -> Iterator[_Row]:
    models = {(one.step, one.place): one.model for one in run.asked}
    models |= {
        (stage.name, one.place): one.model for stage in run.stages.values() for one in stage.drawn
    }
    scores: dict[str, dict[str, float]] = {}
    notes: dict[str, dict[str, Json]] = {}
    for stage in run.stages.values():
        for made in stage.made:
            scores.setdefault(made.candidate, {}).update(made.scores)
            notes.setdefault(made.candidate, {}).update(made.notes)
    for key, made in run.origins.items():
        model = models.get((made.step, made.place), "")
        yield _Row(made, model, scores[key], notes[key], key in chosen)


def _table(rows: Sequence[_Row]) -> Iterator[str]:
    if not rows:
        return
    heads = ("candidate", "answer", "scores", "model", "text")
    yield '<table style="border-collapse:collapse;margin-top:8px;font-size:inherit"><thead><tr>'
    yield "".join(f'<th scope="col" style="{_CELL}">{head}</th>' for head in heads)
    yield "</tr></thead><tbody>"
    for row in rows[:_ROWS]:
        yield _line(row)
    yield "</tbody></table>"
    if len(rows) > _ROWS:
        yield f'<div style="{_SOFT}">and {len(rows) - _ROWS:,} more</div>'


def _line(row: _Row) -> str:
    made = row.made
    weight = ";font-weight:600" if row.chosen else ""
    mark = " (result)" if row.chosen else ""
    scores = ", ".join(f"{name} {score:.3g}" for name, score in row.scores.items())
    answer = "no answer" if made.answer is None else short(made.answer, 60)
    cells = (made.candidate + mark, answer, scores, row.model)
    told = "".join(f'<td style="{_CELL}{weight}">{escape(cell)}</td>' for cell in cells)
    return f'<tr>{told}<td style="{_CELL}">{_text(row)}</td></tr>'


def _text(row: _Row) -> str:
    """The text's first line, and the rest of it with the notes behind a fold."""
    text = row.made.text or ""
    first = escape(short(" ".join(text.split()), 90))
    pre = '<pre style="white-space:pre-wrap;margin:4px 0;max-width:80ch">'
    parts = [f"{pre}{escape(text)}</pre>"]
    for name, note in row.notes.items():
        shown = note if isinstance(note, str) else json.dumps(note, ensure_ascii=False, default=str)
        parts.append(f"<div><strong>{escape(name)}</strong> {escape(shown)}</div>")
    return f"<details><summary>{first}</summary>{''.join(parts)}</details>"
