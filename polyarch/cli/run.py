"""Answer a question, or a file of questions, with a pipeline."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..compiler.errors import InputError
from ..pipeline import load
from ..runtime.progress import Progress, shown
from ..runtime.session import Session
from .batch import answer_all
from .errors import as_json
from .files import pipeline_file

if TYPE_CHECKING:
    from ..compiler.plan import Plan
    from ..runtime.events import Listener
    from ..runtime.questions import Asked
    from ..runtime.result import Result

__all__ = ["command"]


@click.command("run")
@click.argument("file")
@click.argument("question", required=False)
@click.option("--in", "source", metavar="JSONL", help="Questions, one a line; - is standard input.")
@click.option("--out", metavar="JSONL", help="Where answers go, one a line. [default: -]")
@click.option("--seed", default=0, show_default=True, help="Decides every random choice.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Questions under way at once.",
)
@click.option("--json", is_flag=True, callback=as_json, help="The record, or errors, as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option("-v", "--verbose", is_flag=True, help="Show candidates, usage and steps, too.")
def command(
    file: str,
    question: str | None,
    source: str | None,
    out: str | None,
    seed: int,
    concurrency: int,
    json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Answer a question, or a file of questions, with a pipeline.

    FILE is a pipeline file, or the name of a pipeline in the library. QUESTION is a text; for a
    pipeline that asks for a record or a chat, JSON.

    With --in, every line is JSON: {"id": …, "question": …}, {"id": …, "messages": […]}, a record
    with the pipeline's fields, a chat, or a text. Each answer is written as soon as it and all
    before it are there, as one line, in the order of the questions.
    """
    if (question is None) == (source is None):
        raise click.UsageError("give either a QUESTION or --in")
    if source is None and out is not None:
        raise click.UsageError("--out goes with --in")
    plan = load(pipeline_file(file)).plan
    progress = None if quiet else Progress()
    if source is not None:
        asyncio.run(answer_all(plan, source, out or "-", seed, concurrency, progress))
    else:
        result = asyncio.run(_answer(plan, _asked(question or "", plan), seed, progress))
        _print(result, plan, json, verbose)


def _asked(text: str, plan: Plan) -> Asked:
    """The question on the command line: a text, or JSON where the pipeline takes no text."""
    kind = plan.graph.question.kind
    if kind == "text" or (kind == "chat" and not text.lstrip().startswith("[")):
        return text
    try:
        asked: Asked = jsonlib.loads(text)
    except ValueError as error:
        raise InputError(f"the pipeline asks for a {kind}, written as JSON: {error}") from error
    return asked


async def _answer(plan: Plan, question: Asked, seed: int, progress: Progress | None) -> Result:
    listeners: list[Listener] = [] if progress is None else [progress]
    async with Session(plan, listeners=listeners) as session:
        if progress is None:
            return await session.ask(question, seed=seed)
        async with shown(progress):
            return await session.ask(question, seed=seed)


def _print(result: Result, plan: Plan, json: bool, verbose: bool) -> None:
    if json:
        click.echo(jsonlib.dumps(result.record(), ensure_ascii=False))
        return
    click.echo(str(result))
    if result.best is None:
        click.echo("the pipeline abstained: it holds no candidate", err=True)
    if verbose:
        click.echo("\n".join(_details(result, plan)))


def _details(result: Result, plan: Plan) -> Iterator[str]:
    yield "\ncandidates"
    for candidate in result.candidates:
        answer = candidate.answer.text if candidate.answer else "no answer"
        scores = ", ".join(f"{name} {value:.3g}" for name, value in candidate.scores.items())
        yield f"  {candidate.origin.key}  {answer}" + (f"  ({scores})" if scores else "")
        yield from (f"    {line}" for line in candidate.text.splitlines())
    yield "\nsteps"
    calls = Counter(event.step for event in result.trace if event.what == "drew")
    made = Counter(event.step for event in result.trace if event.what == "made")
    for name in plan.graph.order:
        yield f"  {name}: {calls[name]:,} calls, {made[name]:,} candidates"
    if result.stopped:
        yield f"\nstopped early: {result.stopped}"
    spent = result.usage
    yield (
        f"\nusage: {spent.calls:,} calls, {spent.prompt_tokens:,} + {spent.completion_tokens:,} "
        f"tokens, ${spent.usd:.4g}, {result.seconds:.2f} s"
    )
