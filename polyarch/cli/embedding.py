"""Embeddings of the questions that something is fitted to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import ClassVar

from ..compiler.errors import InputError
from ..compiler.graph import Node
from ..compiler.model import Capability
from ..compiler.names import nearest
from ..compiler.op import All, Amount, Asking, Calls, Context, Flow, Stream
from ..compiler.plan import Plan, plan
from ..compiler.registry import model_info
from ..compiler.values import Candidate
from ..evaluation.fitting import Embedded
from ..ops._embeddings import embedded as asked_for
from ..ops.router import unit
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
    async with Session(_asking(made, model), keys=keys) as session:
        results = [result async for result in session.map(told.questions)]
    rows: list[list[float]] = []
    for result in results:
        found = unit(_drawn(result))
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


def _asking(made: Plan, model: str) -> Plan:
    """A plan that does nothing but ask for the embedding of the question."""
    graph = made.graph
    node = Node(_STEP, _STEP, _Embed(model=model), (), graph.answer, graph.place)
    return plan(replace(graph, nodes={_STEP: node}, output=_STEP, keep=1, notes=(), budgets={}))


class _Embed(Asking, All):
    """Ask for the embedding of the question, which is then in the trace."""

    reads: ClassVar[bool] = False

    def flow(self, given: Flow) -> Flow:
        return given.with_count(1, 1)

    def asks(self) -> frozenset[Capability]:
        return frozenset({Capability.EMBEDDINGS})

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        return (Calls(self.model or "", Amount(1, 1), given.question, Amount(0, 0)),)

    def roles(self) -> frozenset[str]:
        return frozenset({"embed"})

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        yield ctx.candidate(await asked_for(self, ctx, ctx.question.text), index=0)
