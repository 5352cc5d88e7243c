"""Show a trace, write it as a page, or run it again without a model."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..compiler.errors import InputError, PolyarchError
from ..runtime.trace.read import read
from .completing import files
from .errors import as_json, of_file
from .voice import aside

if TYPE_CHECKING:
    from ..compiler.values import Json
    from ..runtime.result import Result
    from ..runtime.trace.outline import Run
    from ..runtime.trace.read import Trace

__all__ = ["command"]

_PIPED = 160
"""Columns where there is no terminal to ask."""


@click.command("trace")
@click.argument("file", shell_complete=files)
@click.option("--question", metavar="ID", help="Only the question of that id.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Questions, and candidates of each step, shown at most; 0 for all.",
)
@click.option("--html", metavar="OUT", help="Write one page that needs no network.")
@click.option("--replay", is_flag=True, help="Run it again from the recorded replies.")
@click.option(
    "--edit",
    "edits",
    multiple=True,
    metavar="STEP[PLACE]=TEXT",
    help="Run it again with this reply changed; =@FILE takes the text from a file.",
)
@click.option("--out", metavar="OUT", help="Write the trace of the replay.")
@click.option("--otel", is_flag=True, help="Send it to an OpenTelemetry collector.")
@click.option("--json", is_flag=True, callback=as_json, help="The sums, or errors, as JSON.")
def command(
    file: str,
    question: str | None,
    limit: int,
    html: str | None,
    replay: bool,
    edits: tuple[str, ...],
    out: str | None,
    otel: bool,
    json: bool,
) -> None:
    """Show a trace, write it as a page, or run it again without a model.

    FILE is a trace in JSON lines. Without options: its questions, their steps and candidates, with
    times, tokens, cost, scores and notes.

    A replay asks no model. --edit changes one reply: --edit 'drafts[3]=the answer is 4'; PLACE is
    the number in the tree, and may be left out where a step has one reply. PLACE:ASK and
    PLACE:ASK:TURN tell several replies of one place apart. Steps that ask nothing are computed
    anew; a request whose prompt changed is an error, unless an edit gives its reply, too.

    --otel sends spans by OTLP to OTEL_EXPORTER_OTLP_ENDPOINT [default: http://localhost:4318],
    without questions and replies.
    """
    if out is not None and not (replay or edits):
        raise click.UsageError("--out goes with --replay or --edit")
    if (html is not None) + otel + bool(replay or edits) + (json and not (replay or edits)) > 1:
        raise click.UsageError(
            "--html, --otel, --replay and --json exclude one another, but for --replay --json; "
            "write a replay with --out and show that"
        )
    trace = read(file)
    if question is not None and all(event.question != question for event in trace.events):
        raise InputError(f"{file}: no question {question!r}")
    if otel:
        _send(trace)
    elif html is not None:
        _page(trace, html, question)
    elif replay or edits:
        _replay(trace, question, edits, out, json)
    elif json:
        from ..runtime.trace.tree import summary

        click.echo(jsonlib.dumps(summary(trace, question=question), ensure_ascii=False))
    else:
        _tree(trace, limit, question)


def _tree(trace: Trace, limit: int, question: str | None) -> None:
    from rich.console import Console

    from ..runtime.trace.tree import show

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PIPED)
    show(trace, console, limit=limit, question=question)


def _page(trace: Trace, out: str, question: str | None) -> None:
    from ..runtime.trace.page import page

    text = page(trace, question=question)
    with of_file(out):
        Path(out).write_text(text, encoding="utf-8", errors="backslashreplace")
    aside(f"{out}: {len(text.encode(errors='replace')):,} bytes")


def _send(trace: Trace) -> None:
    from ..runtime.trace.otel import send

    if not send(trace):
        raise PolyarchError("the collector did not take all spans; it is told above why")


def _replay(
    trace: Trace, question: str | None, edits: tuple[str, ...], out: str | None, json: bool
) -> None:
    from ..runtime.trace.outline import outline
    from ..runtime.trace.plan import rebuilt
    from ..runtime.trace.replay import edit, replay
    from ..runtime.trace.write import TraceWriter

    changes = [edit(_written(one)) for one in edits]
    plan = rebuilt(trace.header.plan, trace.header.polyarch)
    if out is None:
        results = replay(trace, changes, question=question, plan=plan)
    else:
        with TraceWriter(out, plan, of=trace.header.model_dump()) as writer:
            results = replay(trace, changes, question=question, listeners=[writer], plan=plan)
    runs = [run for run in outline(trace.events) if question in (None, run.id)]
    for run, result in zip(runs, results, strict=True):
        before = [made.answer for made in run.outcome(plan.graph.output, plan.graph.keep)]
        _tell(run, before, result, json)


def _tell(run: Run, before: list[str | None], result: Result, json: bool) -> None:
    """One replayed question: what it answers now, and what it answered then."""
    now = [c.answer.text if c.answer else None for c in result.candidates]
    if json:
        record: dict[str, Json] = {**result.record(), "recorded": before, "same": now == before}
        click.echo(jsonlib.dumps(record, ensure_ascii=False))
        return
    if now == before:
        click.echo(f"{run.id}: {_listed(now)}, as recorded")
    else:
        click.echo(f"{run.id}: {_listed(now)}; recorded was {_listed(before)}")


def _listed(answers: list[str | None]) -> str:
    return ", ".join("no answer" if answer is None else answer for answer in answers) or "nothing"


def _written(one: str) -> str:
    """An edit, its text read from the file that it names after =@."""
    target, mark, name = one.partition("=@")
    if not mark or "=" in target:
        return one
    with of_file(name):
        return f"{target}={Path(name).read_text(encoding='utf-8')}"
