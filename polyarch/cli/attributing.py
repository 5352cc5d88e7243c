"""What `polyarch analyze` does with a trace: runs it again with something changed."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..compiler.build import build_file
from ..compiler.errors import InputError
from ..compiler.plan import Plan, plan
from ..compiler.spec import Budget
from ..compiler.unpriced import refuse_dollars
from ..evaluation.attribution.blame import blaming_plan
from ..evaluation.attribution.failures import failure_attribution
from ..evaluation.attribution.faithfulness import faithfulness, rewording_plan
from ..evaluation.attribution.live import Live
from ..evaluation.attribution.steps import step_attribution
from ..evaluation.data import load_data
from ..evaluation.data.dataset import Dataset
from ..runtime.trace.read import Trace, read
from .files import pipeline_file

if TYPE_CHECKING:
    from .analyzing import Ask

__all__ = ["Again", "failures", "probes", "steps"]


@dataclass(frozen=True, slots=True)
class Again:
    """What running a trace again takes: `data` with references, the `pipeline` whose models may be
    asked, another `model` (backend/name, with `options`) that looks at what happened."""

    data: str | None = None
    fields: Mapping[str, str] | None = None
    metric: str | None = None
    pipeline: str | None = None
    model: str | None = None
    options: str | None = None
    step: str | None = None
    closing: str = ""
    whole: bool = False
    budget: Budget | None = None
    keys: tuple[str, ...] = ()


def steps(ask: Ask) -> Iterator[tuple[str, object]]:
    """What each step adds. Raises `InputError`."""
    again, trace = ask.again, read(ask.where)
    told = step_attribution(
        trace,
        _data(again),
        metric=again.metric,
        models=None if again.pipeline is None else _live(again, trace),
        budget=again.budget,
    )
    yield trace.header.pipeline, told


def failures(ask: Ask) -> Iterator[tuple[str, object]]:
    """Which reply made each wrong answer wrong. Raises `InputError`."""
    again, trace = ask.again, read(ask.where)
    if again.model is None:
        raise click.UsageError("--of failures takes --model BACKEND/NAME, the model that is asked")
    told = failure_attribution(
        trace,
        _data(again),
        _affordable(blaming_plan(again.model, _options(again)), again),
        metric=again.metric,
        models=None if again.pipeline is None else _live(again, trace),
        budget=again.budget,
        keys=again.keys,
    )
    yield trace.header.pipeline, told


def probes(ask: Ask) -> Iterator[tuple[str, object]]:
    """Whether answers depend on a step's reasoning. Raises `InputError`."""
    again, trace = ask.again, read(ask.where)
    if again.step is None or again.pipeline is None:
        raise click.UsageError("--of faithfulness takes --step and --pipeline, whose models answer")
    rewording = None
    if again.model is not None:
        rewording = _affordable(rewording_plan(again.model, _options(again)), again)
    told = faithfulness(
        trace,
        _live(again, trace),
        again.step,
        closing=again.closing,
        prefixed=not again.whole,
        rewording=rewording,
        keys=again.keys,
        budget=again.budget,
    )
    yield f"{trace.header.pipeline}: {again.step}", told


def _data(again: Again) -> Dataset:
    if again.data is None:
        raise click.UsageError("this takes --data, the items of the trace with their references")
    return load_data(again.data, fields=again.fields or {})


def _options(again: Again) -> Mapping[str, Any]:
    if again.options is None:
        return {}
    try:
        told = jsonlib.loads(again.options)
    except ValueError as error:
        raise InputError(f"--options: not JSON: {error}") from error
    if not isinstance(told, dict):
        raise InputError("--options: not an object")
    return told


def _live(again: Again, trace: Trace) -> Live:
    made = plan(build_file(pipeline_file(str(again.pipeline))))
    live = Live(_affordable(made, again), keys=again.keys)
    live.check(trace)
    return live


def _affordable(made: Plan, again: Again) -> Plan:
    """The plan, if what it asks can be held to the budget. Raises `PlanRefused`."""
    if again.budget is not None:
        refuse_dollars(made.graph, again.budget)
    return made
