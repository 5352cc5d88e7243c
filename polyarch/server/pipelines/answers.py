"""A run of a pipeline as what a client is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from ...compiler.affordable import refuse_unaffordable
from ...compiler.spec import Budget
from ...compiler.values import Json
from ...runtime.ledger import Ledger
from ..metrics import Metrics
from ..served import Answering, Said
from .asked import Asked, asked, chat, text
from .bodies import ChatBody, TextBody
from .hosted import Hosted, Open
from .run import Run

__all__ = ["ServedPipelines"]

_REQUEST = "the request"
"""The name of the account of one request."""


class ServedPipelines:
    """Pipelines behind their names. Implements `server.served.Served`."""

    def __init__(self, hosted: Hosted, metrics: Metrics, budget: Budget | None = None) -> None:
        """`budget` is for every request, beside the pipeline's own and the request's."""
        self._hosted = hosted
        self._metrics = metrics
        self._budget = budget

    def cards(self) -> Sequence[Mapping[str, Any]]:
        """The pipelines as they are now."""
        return [self._card(opened) for opened in self._hosted]

    def chat(self, raw: bytes) -> Answering:
        """A chat completion. Raises `Unreadable`, `NoSuchModel`, `PlanRefused`."""
        return self._answering(chat(raw))

    def text(self, raw: bytes) -> Answering:
        """A text completion. Raises `Unreadable`, `NoSuchModel`, `PlanRefused`."""
        return self._answering(text(raw))

    async def aclose(self) -> None:
        """Close the pipelines. Idempotent."""
        await self._hosted.aclose()

    def _card(self, opened: Open) -> Mapping[str, Any]:
        plan, graph = opened.plan, opened.plan.graph
        told: dict[str, Json] = {
            "about": graph.about,
            "digest": plan.digest,
            "question": graph.question.kind,
            "fields": list(graph.question.fields),
            "keep": graph.keep,
            "calls": [plan.total.calls.low, plan.total.calls.high],
        }
        if opened.name in self._hosted.refused:
            told["refused"] = self._hosted.refused[opened.name]
        return {
            "id": opened.name,
            "object": "model",
            "created": int(opened.since),
            "owned_by": "polyarch",
            "polyarch": told,
        }

    def _answering(self, body: ChatBody | TextBody) -> Answering:
        opened = self._hosted[body.model]
        wanted = asked(body, opened.plan.graph)
        if wanted.budget is not None:
            refuse_unaffordable(opened.plan, wanted.budget, "the budget of the request")
        return Answering(wanted.shape, lambda: self._said(wanted))

    async def _said(self, wanted: Asked) -> AsyncGenerator[Said, None]:
        """Run the pipeline, and tell what comes of it."""
        name = wanted.shape.name
        ledger = Ledger(_REQUEST, self._budget or Budget())
        if wanted.budget is not None:
            ledger = Ledger(_REQUEST, wanted.budget, ledger)
        async with self._hosted.borrowed(name) as opened:
            trace = self._hosted.traces.begin(wanted.shape.id, opened.plan)
            run = Run(opened, wanted, ledger, trace)
            try:
                async for said in run.said():
                    yield said
            finally:
                await run.end()
                self._hosted.traces.trim()
                self._metrics.spent(name, ledger.spent)
