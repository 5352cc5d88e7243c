"""One measurement: the pipeline runs over its questions with the given options of its model.

As a program it reads a job from standard input and writes what it measured. It is a process of its
own, so that an engine that dies takes nothing along, what it held is free again, and variables of
the environment count.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...compiler.errors import PolyarchError
from .load import Job, merged

if TYPE_CHECKING:
    from ...backends.base import Backend

__all__ = ["Apart", "Failed", "Measures", "measured"]

_LAST = 300
"""Characters of a dead process's last words that are told."""


class Failed(PolyarchError):
    """A measurement came to nothing: these settings do not work here."""

    code = "not-measured"


class Measures(Protocol):
    """Measures settings: completion tokens a second. Raises `Failed`."""

    async def __call__(self, job: Job, environment: Mapping[str, str]) -> float: ...


class Apart:
    """Measures in a process of its own, `patience` seconds at most."""

    def __init__(self, patience: float = 900.0) -> None:
        self._patience = patience

    async def __call__(self, job: Job, environment: Mapping[str, str]) -> float:
        """Completion tokens a second."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __name__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **environment},
        )
        try:
            async with asyncio.timeout(self._patience):
                out, err = await process.communicate(job.record().encode())
        except TimeoutError as error:
            raise Failed(f"not done after {self._patience:,.0f} seconds") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            told = err.decode(errors="replace").strip().splitlines() or ["no word"]
            raise Failed(f"ended with {process.returncode}: {told[-1][-_LAST:]}")
        return float(json.loads(out)["rate"])


async def measured(job: Job, backends: Mapping[str, Backend] | None = None) -> float:
    """Completion tokens a second of all questions but the first, which starts the engine.

    `backends` are ready ones by model name, for tests.
    """
    from ...compiler.build import build
    from ...compiler.plan import plan
    from ...compiler.source import parse
    from ...runtime.session import Session

    load = job.load
    graph = build(parse(load.text), Path(load.folder))
    spec = graph.models[load.model]
    options: dict[str, Any] = merged(spec.options, job.options)
    models = {**graph.models, load.model: spec.model_copy(update={"options": options})}
    made = plan(replace(graph, models=models))
    session = Session(made, backends=backends, keys=load.keys)
    tokens = 0
    async with session:
        await session.ask(load.questions[0], id="first")
        began = time.perf_counter()
        rest = load.questions[1:]
        async for result in session.map(rest, concurrency=load.concurrency):
            tokens += result.usage.completion_tokens
        seconds = time.perf_counter() - began
    if not tokens:
        raise Failed("not a token was written")
    return tokens / seconds


def _main() -> None:
    """Measure the job on standard input."""
    job = Job.of(sys.stdin.buffer.read())
    try:
        rate = asyncio.run(measured(job))
    except PolyarchError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        sys.exit(1)
    print(json.dumps({"rate": rate}))


if __name__ == "__main__":
    _main()
