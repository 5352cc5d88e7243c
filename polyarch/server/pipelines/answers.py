"""A run of a pipeline as what a client is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

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

_REQUEST, _SERVER = "the request", "the server"
"""The names of a request's account, and of that around it."""
_STOPS = "it stops"


class ServedPipelines:
    """Pipelines behind their names. Implements `server.served.Served`."""

    bodies: tuple[type[BaseModel], type[BaseModel]] = (ChatBody, TextBody)

    def __init__(self, hosted: Hosted, metrics: Metrics, budget: Budget | None = None) -> None:
        """`budget` is for every request, beside the pipeline's own and the request's."""
        self._hosted = hosted
        self._metrics = metrics
        self._budget = budget
        self._accounts: set[Ledger] = set()
        self._due: float | None = None

    def cards(self) -> Sequence[Mapping[str, Any]]:
        """The pipelines as they are now."""
        return [self._card(opened) for opened in self._hosted]

    def chat(self, raw: bytes) -> Answering:
        """A chat completion. Raises `Unreadable`, `NoSuchModel`, `PlanRefused`."""
        return self._answering(chat(raw))

    def text(self, raw: bytes) -> Answering:
        """A text completion. Raises `Unreadable`, `NoSuchModel`, `PlanRefused`."""
        return self._answering(text(raw))

    def hurry(self, seconds: float) -> None:
        """Let every request end within so many seconds, with the best that is there by then."""
        self._due = asyncio.get_running_loop().time() + seconds
        for account in self._accounts:
            account.end(self._due, _STOPS)

    async def aclose(self) -> None:
        """Close the pipelines. Idempotent."""
        await self._hosted.aclose()

    def _writing(self, opened: Open, wanted: Asked) -> bool:
        """Whether the answer is told while it is written: not where it may still become another."""
        graph = opened.plan.graph
        budgets = (self._budget, wanted.budget, *graph.budgets.values())
        if any(budget is not None and budget.on_budget == "best" for budget in budgets):
            return False
        return wanted.shape.stream and graph.nodes[graph.output].at_least is None

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
        account = Ledger(_SERVER, self._budget or Budget(), endable=True)
        ledger = account if wanted.budget is None else Ledger(_REQUEST, wanted.budget, account)
        async with self._hosted.borrowed(name) as opened:
            trace = self._hosted.traces.begin(wanted.shape.id, opened.plan)
            run = Run(opened, wanted, ledger, trace, writing=self._writing(opened, wanted))
            self._accounts.add(account)
            if self._due is not None:
                account.end(self._due, _STOPS)
            try:
                async for said in run.said():
                    yield said
            finally:
                self._accounts.remove(account)
                await run.end()
                self._hosted.traces.settle(trace)
                self._metrics.spent(name, ledger.spent)
