"""What `polyarch eval` does; apart from it, so that its help imports none of this."""

from __future__ import annotations

import asyncio
import gc
import json as jsonlib
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click

from ..compiler.errors import InputError, PlanRefused, RunError
from ..compiler.plan import Plan
from ..compiler.spec import Budget
from ..compiler.unpriced import refuse_dollars
from ..evaluation.data import Dataset, load_data
from ..evaluation.looks import look
from ..evaluation.report import Report, report
from ..evaluation.run import Evaluation, evaluate
from ..pipeline import Pipeline, load
from ..runtime.events import Listener
from ..runtime.progress import shown
from ..runtime.store import Store
from .baselines import baseline, whole_calls
from .errors import of_file
from .files import pipeline_file
from .meter import Meter
from .stores import cache, tracing
from .voice import aside, quiet

__all__ = ["Study", "run_study"]

_NULLS = 20
"""Items that a judge is given a constant answer to."""
_PIPED = 160
"""Columns where there is no terminal to ask."""


@dataclass(frozen=True, slots=True)
class Study:
    """What is to be evaluated, and how."""

    files: tuple[str, ...]
    data: str
    file: str | None
    fields: Mapping[str, str]
    metric: str | None
    sample: int | None
    split: str | None
    look_again: bool
    seeds: tuple[int, ...]
    baselines: tuple[str, ...]
    slices: tuple[str, ...]
    out: str | None
    html: str | None
    budget: Budget | None
    concurrency: int
    cached: bool
    trace: str | None
    recorded_time: bool
    candidates: bool
    keys: tuple[str, ...]
    allow_unsandboxed: bool


def run_study(study: Study, *, json: bool) -> None:
    """Evaluate and print the report. Raises `RunError` where every run of a pipeline failed."""
    data = load_data(
        study.data,
        fields=study.fields,
        sample=study.sample,
        split=study.split,
        seed=study.seeds[0],
        file=study.file,
    )
    pipelines, against = _pipelines(study, data)
    digests = {name: pipe.plan.digest for name, pipe in pipelines.items()}
    if study.budget is not None:
        _refuse(study, data, [pipe.plan for pipe in pipelines.values()])
    folder = Path(study.out or "x").parent
    looks = look(folder, data, digests, _what(study, data, digests), again=study.look_again)
    meter = None if quiet() else Meter(len(data) * len(pipelines) * len(study.seeds))
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    done = _run(study, data, pipelines, meter)
    told = report(done, baselines=against, slices=study.slices, looks=looks)
    _tell(told, study, json)
    failed = [one for one in told.summaries if sum(one.errors.values()) == one.runs]
    if failed:
        raise RunError(f"every run of {failed[0].name} failed: {failed[0].first_error}")


def _pipelines(study: Study, data: Dataset) -> tuple[Mapping[str, Pipeline], tuple[str, ...]]:
    """All pipelines by name, baselines last, and which those are."""
    tokens = max(1, max(len(item.text) for item in data.items) // 3)
    made: dict[str, Pipeline] = {}
    for word in study.files:
        pipe = load(
            pipeline_file(word),
            question_tokens=tokens,
            keys=study.keys,
            allow_unsandboxed=study.allow_unsandboxed,
        )
        made[_free(pipe.name, word, made)] = pipe
    like = pipeline_file(study.files[0])
    names = []
    calls = whole_calls(next(iter(made.values())).plan)
    for word in study.baselines:
        pipe = baseline(word, like, tokens, study.keys, calls)
        known = [n for n, other in made.items() if other.plan.digest == pipe.plan.digest]
        name = known[0] if known else _free(pipe.name, word, made)
        made.setdefault(name, pipe)
        names.append(name)
    return made, tuple(names)


def _free(name: str, word: str, taken: Mapping[str, Pipeline]) -> str:
    """The pipeline's name, or where another has it that of its file."""
    for one in (name, Path(word).stem, word):
        if one not in taken:
            return one
    raise InputError(f"{word} is named twice")


def _refuse(study: Study, data: Dataset, plans: list[Plan]) -> None:
    """Raise `PlanRefused` if even the least that is needed exceeds the budget."""
    assert study.budget is not None
    runs = len(data) * len(study.seeds)
    for unit in ("calls", "tokens", "usd"):
        limit = getattr(study.budget, unit)
        least = runs * sum(getattr(plan.total, unit).low for plan in plans)
        if limit is not None and least > limit:
            raise PlanRefused(
                f"{runs:,} runs of {len(plans)} pipelines need at least {least:,g} {unit}, and the "
                f"budget is {limit:,g}; --sample asks fewer questions"
            )
    for plan in plans:
        refuse_dollars(plan.graph, study.budget)


def _what(study: Study, data: Dataset, digests: Mapping[str, str]) -> str:
    """What tells an evaluation from others: taking it up again is no other."""
    told = [data.fingerprint, data.split, study.metric or "", *study.seeds, study.out or ""]
    named = jsonlib.dumps([*told, *sorted(digests.values())])
    again = "" if study.out else str(time.time_ns())
    return sha256(f"{named}{again}".encode()).hexdigest()[:16]


def _run(
    study: Study, data: Dataset, pipelines: Mapping[str, Pipeline], meter: Meter | None
) -> Evaluation:
    async def work() -> Evaluation:
        name, first = next(iter(pipelines.items()))
        with cache(study.cached) as stores, tracing(study.trace, first.plan) as listeners:
            async with nullcontext() if meter is None else shown(meter):
                return await _evaluated(study, data, pipelines, meter, stores, {name: listeners})

    with _resumable(study):
        if not study.recorded_time:
            return asyncio.run(work())
        from ..runtime.virtual import Stuck, run

        try:
            return run(work())
        except Stuck as error:
            raise InputError(
                "--recorded-time is for recordings alone: nothing real can be waited for"
            ) from error


async def _evaluated(
    study: Study,
    data: Dataset,
    pipelines: Mapping[str, Pipeline],
    meter: Meter | None,
    stores: list[Store],
    listeners: Mapping[str, list[Listener]],
) -> Evaluation:
    return await evaluate(
        pipelines,
        data,
        metric=study.metric,
        seeds=study.seeds,
        out=None if study.out is None else Path(study.out),
        concurrency=study.concurrency,
        budget=study.budget,
        progress=None if meter is None else meter.hear,
        stores=stores,
        candidates=study.candidates,
        null=_NULLS,
        listeners=listeners,
    )


@contextmanager
def _resumable(study: Study) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if study.out is not None:
            aside("run the same command again to go on from here")
        raise


def _tell(told: Report, study: Study, json: bool) -> None:
    if study.html is not None:
        from ..evaluation.report.page import page

        text = page(told)
        with of_file(study.html):
            Path(study.html).write_text(text, encoding="utf-8", errors="backslashreplace")
        aside(f"{study.html}: {len(text.encode(errors='replace')):,} bytes")
    if json:
        click.echo(jsonlib.dumps(told.as_json(), ensure_ascii=False))
        return
    from rich.console import Console

    from ..evaluation.report.terminal import show

    width = None if sys.stdout.isatty() else _PIPED
    show(told, Console(file=sys.stdout, width=width))
