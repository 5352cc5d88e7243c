"""Embeddings of the questions that something is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..compiler.errors import InputError
from ..compiler.fitted import Router
from ..compiler.graph import Node
from ..compiler.model import Capability
from ..compiler.names import nearest
from ..compiler.plan import Plan, plan
from ..compiler.registry import model_info
from ..evaluation.fitting import Embedded
from ..ops import router as routing
from ..runtime.result import Result
from ..runtime.session import Session
from .fitting import Known

__all__ = ["embedded"]

_STEP = "embedded"


async def embedded(made: Plan, told: Known, model: str, keys: Sequence[str]) -> Embedded:
    """The embeddings that a model of the pipeline gives of the questions. Raises `InputError` where
    it gives none, or one of another length."""
    models = made.graph.models
    if model not in models:
        raise InputError(f"--embedder: no model {model!r}; {nearest(model, tuple(models))}")
    if Capability.EMBEDDINGS not in model_info(models[model]).capabilities:
        raise InputError(f"--embedder: {model} ({models[model].model}) offers no embeddings")
    async with Session(_asking(made, told, model), keys=keys) as session:
        results = [result async for result in session.map(told.questions)]
    rows: list[list[float]] = []
    for result in results:
        found = routing.unit(_drawn(result))
        if found is None or (rows and len(found) != len(rows[0])):
            raise InputError(f"{model} gives no embedding of the question {result.question.text!r}")
        rows.append(found)
    return Embedded(model, len(rows[0]), [dict(enumerate(row)) for row in rows])


def _drawn(result: Result) -> Sequence[float]:
    """The embedding that was drawn; nothing where there is none."""
    for event in result.trace:
        match event.data.get("values"):
            case [*values] if event.what == "drew":
                return [float(str(value)) for value in values]
    return ()


def _asking(made: Plan, told: Known, model: str) -> Plan:
    """A plan that does nothing but ask for the embedding of the question."""
    by = Router(
        made="2000-01-01",
        pipeline=made.graph.name,
        data=told.data,
        models={},
        cases=("no", "yes"),
        embedder=model,
        buckets=1,
        coefficients={},
        intercept=0.0,
        threshold=0.5,
    )
    graph = made.graph
    op, place = routing.Router(by=by), graph.place
    node = Node(_STEP, "router", op, (), graph.answer, place)
    return plan(replace(graph, nodes={_STEP: node}, output=_STEP, keep=1, notes=(), budgets={}))
