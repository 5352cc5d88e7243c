"""The endpoint: its routes, and how a request gets to what answers it."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HTTPRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..compiler.errors import PolyarchError
from .answer import Answer
from .door import Door
from .failures import NOT_JSON, STOPPING, TOO_LARGE, Failure, failure, missing
from .gate import Gate
from .keys import Keys
from .life import Life
from .metrics import METRICS_TYPE, Metrics
from .openapi import description
from .served import Answering, Served

__all__ = ["Limits", "app"]

_OPEN = ("/health", "/ready", "/openapi.json")
"""What needs no key."""


_log = logging.getLogger("polyarch.server")


@dataclass(frozen=True, slots=True)
class Limits:
    """At most `running` requests are answered at once, as many as `waiting` wait; a body holds at
    most `body` bytes."""

    running: int
    waiting: int
    body: int = 32 << 20


def app(
    served: Served,
    keys: Keys,
    metrics: Metrics,
    limits: Limits,
    *,
    life: Life | None = None,
    beside: AbstractAsyncContextManager[object] | None = None,
    routes: Sequence[BaseRoute] = (),
    opened: Collection[str] = (),
) -> ASGIApp:
    """An ASGI application that answers for what is served, and closes it at the end.

    Once `life` is stopping it takes no more. `beside` is entered for as long as it runs. `routes`
    come after its own; `opened` are paths among them that need no key.
    """
    endpoint = _Endpoint(served, metrics, limits, life or Life())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            async with beside or nullcontext():
                yield
        finally:
            await served.aclose()

    own = [
        Route("/health", _health),
        Route("/ready", endpoint.ready),
        Route("/openapi.json", endpoint.description),
        Route("/metrics", endpoint.metrics),
        Route("/v1/models", endpoint.models),
        Route("/v1/models/{name:path}", endpoint.model),
        Route("/v1/chat/completions", endpoint.chat, methods=["POST"]),
        Route("/v1/completions", endpoint.text, methods=["POST"]),
    ]
    handlers: Any = {HTTPException: _not_found}
    inner = Starlette(routes=[*own, *routes], lifespan=lifespan, exception_handlers=handlers)
    return Door(inner, keys, (*_OPEN, *opened))


class _Endpoint:
    """Answers for what is served."""

    def __init__(self, served: Served, metrics: Metrics, limits: Limits, life: Life) -> None:
        self._served = served
        self._metrics = metrics
        self._limits = limits
        self._life = life
        self._gate = metrics.gate = Gate(limits.running, limits.waiting)

    async def ready(self, _: HTTPRequest) -> Response:
        """GET /ready."""
        if self._life.stopping:
            return JSONResponse({"status": "stopping"}, 503)
        return JSONResponse({"status": "ok"})

    async def description(self, _: HTTPRequest) -> Response:
        """GET /openapi.json."""
        return JSONResponse(description(self._served))

    async def metrics(self, _: HTTPRequest) -> Response:
        """GET /metrics."""
        return Response(self._metrics.text(), media_type=METRICS_TYPE)

    async def models(self, _: HTTPRequest) -> Response:
        """GET /v1/models."""
        return JSONResponse({"object": "list", "data": list(self._served.cards())})

    async def model(self, request: HTTPRequest) -> ASGIApp:
        """GET /v1/models/NAME."""
        name = request.path_params["name"]
        for card in self._served.cards():
            if card["id"] == name:
                return JSONResponse(card)
        return _failed(missing("GET", request.url.path))

    async def chat(self, request: HTTPRequest) -> ASGIApp:
        """POST /v1/chat/completions."""
        return await self._answer(request, self._served.chat)

    async def text(self, request: HTTPRequest) -> ASGIApp:
        """POST /v1/completions."""
        return await self._answer(request, self._served.text)

    async def _answer(self, request: HTTPRequest, read: Callable[[bytes], Answering]) -> ASGIApp:
        if self._life.stopping:
            return self._refuse(STOPPING)
        try:
            if "json" not in request.headers.get("content-type", ""):
                return self._refuse(NOT_JSON)
            raw = await _body(request, self._limits.body)
            if raw is None:
                return self._refuse(TOO_LARGE)
            answering = read(raw)
        except PolyarchError as error:
            return self._refuse(failure(error))
        return self._counted(answering)

    def _counted(self, answering: Answering) -> ASGIApp:
        """The answer; what becomes of it is counted."""
        answer = Answer(answering, self._gate)

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            began = time.perf_counter()
            try:
                await answer(scope, receive, send)
            finally:
                taken = time.perf_counter() - began
                self._metrics.request(answering.shape.name, answer.outcome, taken)
                _log.info("request", extra=answer.record() | {"seconds": round(taken, 4)})

        return counted

    def _refuse(self, told: Failure) -> ASGIApp:
        self._metrics.request("", str(told.status), 0.0)
        _log.info("request", extra={"status": str(told.status), "why": told.message})
        return _failed(told)


def _failed(told: Failure) -> ASGIApp:
    return JSONResponse(told.body, told.status, told.headers)


async def _body(request: HTTPRequest, most: int) -> bytes | None:
    """The body; None if it is too large."""
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > most:
            return None
    return b"".join(parts)


async def _health(_: HTTPRequest) -> Response:
    return JSONResponse({"status": "ok"})


async def _not_found(request: HTTPRequest, error: Exception) -> Response:
    told = missing(request.method, request.url.path)
    return JSONResponse(
        told.body, getattr(error, "status_code", 404), getattr(error, "headers", None)
    )
