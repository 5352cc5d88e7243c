"""Traces of pipelines that scripted models answered, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from polyarch.backends.base import Backend
from polyarch.compiler.plan import Plan
from polyarch.runtime.session import Session
from polyarch.runtime.trace.read import Trace, read
from polyarch.runtime.trace.write import TraceWriter
from polyarch.runtime.virtual import run

__all__ = ["trace_of", "write_trace"]


def trace_of(
    plan: Plan, backends: Mapping[str, Backend], questions: Mapping[str, str], path: Path
) -> Trace:
    """The trace of a pipeline over questions by their ids, all at once."""
    run(write_trace(plan, backends, questions, path))
    return read(path)


async def write_trace(
    plan: Plan, backends: Mapping[str, Backend] | None, questions: Mapping[str, str], path: Path
) -> None:
    """Write such a trace, on whatever clock this runs."""
    with TraceWriter(path, plan) as writer:
        async with Session(plan, backends=backends, listeners=[writer]) as session:
            await asyncio.gather(*(session.ask(text, id=id) for id, text in questions.items()))
