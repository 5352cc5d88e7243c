"""What `polyarch run` does; apart from it, so that its help imports none of this."""

from __future__ import annotations

import asyncio
import gc
import json as jsonlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ..compiler.errors import InputError
from ..pipeline import load
from ..runtime.progress import Progress, shown
from ..runtime.session import Session
from ..runtime.tools.toolbox import granted
from .batch import Batch, answer_all
from .files import pipeline_file
from .stores import cache, tracing
from .voice import aside, quiet, verbose

if TYPE_CHECKING:
    from ..compiler.plan import Plan
    from ..runtime.events import Listener
    from ..runtime.questions import Asked
    from ..runtime.result import Result

__all__ = ["Once", "answer", "answer_file"]


@dataclass(frozen=True, slots=True)
class Once:
    """One question on the command line."""

    question: str
    seed: int
    cached: bool
    trace: str | None
    allowed: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """The environment variables whose keys may be sent."""
    allow_unsandboxed: bool = False


def answer_file(file: str, batch: Batch) -> None:
    """Answer every question of a file of JSON lines."""
    progress = None if quiet() else Progress()
    plan = load(pipeline_file(file)).plan
    # What was imported and compiled stays, and what a run makes mostly goes at once: neither needs
    # to be looked through for circles as often as Python would.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        asyncio.run(answer_all(plan, batch, progress))
    except KeyboardInterrupt:
        if batch.out != "-" and batch.resumable:
            aside("run the same command again to go on from here")
        raise


def answer(file: str, once: Once, json: bool) -> None:
    """Answer one question and print the result."""
    progress = None if quiet() else Progress()
    plan = load(pipeline_file(file)).plan
    result = asyncio.run(_answer(plan, once, progress))
    _print(result, plan, json)


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


async def _answer(plan: Plan, once: Once, progress: Progress | None) -> Result:
    question = _asked(once.question, plan)
    listeners: list[Listener] = [] if progress is None else [progress]
    with cache(once.cached) as stores, tracing(once.trace, plan) as writers:
        session = Session(
            plan,
            listeners=listeners + writers,
            stores=stores,
            tools=granted(allowed=once.allowed),
            keys=once.keys,
            allow_unsandboxed=once.allow_unsandboxed,
        )
        async with session:
            if progress is None:
                return await session.ask(question, seed=once.seed)
            async with shown(progress):
                return await session.ask(question, seed=once.seed)


def _print(result: Result, plan: Plan, json: bool) -> None:
    if json:
        click.echo(jsonlib.dumps(result.record(), ensure_ascii=False))
        return
    click.echo(str(result))
    if result.best is None:
        aside("the pipeline abstained: it holds no candidate")
    if verbose():
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
