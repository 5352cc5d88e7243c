"""The endpoint: routes, keys, limits, and what becomes of each request."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HTTPRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..backends.base import ModelInfo, Piece
from ..compiler.errors import PolyarchError
from .asked import Asked, chat, text
from .connection import Gone, while_connected
from .failures import (
    BUSY,
    NO_KEY,
    NOT_JSON,
    TOO_LARGE,
    WRONG_HOST,
    Failure,
    failure,
    missing,
    unexpected,
)
from .gate import Full, Gate
from .keys import Keys, loopback
from .metrics import METRICS_TYPE, Metrics
from .replies import DONE, Reply, event
from .served import Served

__all__ = ["app"]

_LARGEST = 32 << 20
"""Bytes of a body."""
_OPEN = ("/health",)
"""What needs no key."""
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
]

_log = logging.getLogger("polyarch.server")


def app(served: Served, keys: Keys, *, running: int, waiting: int) -> ASGIApp:
    """An ASGI application that answers for what is served, and closes it at the end.

    At most `running` requests are answered at once, and as many as `waiting` wait.
    """
    endpoint = _Endpoint(served, Gate(running, waiting))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await served.aclose()

    routes = [
        Route("/health", _health),
        Route("/metrics", endpoint.metrics),
        Route("/v1/models", endpoint.models),
        Route("/v1/models/{name:path}", endpoint.model),
        Route("/v1/chat/completions", endpoint.chat, methods=["POST"]),
        Route("/v1/completions", endpoint.text, methods=["POST"]),
    ]
    handlers: Any = {HTTPException: _not_found}
    return _Door(Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers), keys)


class _Door:
    """Lets in whoever has a key; without keys, whoever calls this machine by its own name, so that
    no web page can have a browser ask."""

    def __init__(self, inner: ASGIApp, keys: Keys) -> None:
        self._inner = inner
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            return await _failed(refusal)(scope, receive, send)
        return await self._inner(scope, receive, send)

    def _refusal(self, scope: Scope) -> Failure | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if not self._keys:
            return None if loopback(headers.get(b"host", "")) else WRONG_HOST
        if scope["path"] in _OPEN or self._keys.open_to(headers.get(b"authorization", "")):
            return None
        return NO_KEY


class _Endpoint:
    """Answers for what is served."""

    def __init__(self, served: Served, gate: Gate) -> None:
        self._served = served
        self._gate = gate
        self._metrics = Metrics(served.name, gate)
        self._since = int(time.time())

    async def metrics(self, _: HTTPRequest) -> Response:
        """GET /metrics."""
        return PlainTextResponse(self._metrics.text(), media_type=METRICS_TYPE)

    async def models(self, _: HTTPRequest) -> Response:
        """GET /v1/models."""
        return JSONResponse({"object": "list", "data": [self._model()]})

    async def model(self, request: HTTPRequest) -> ASGIApp:
        """GET /v1/models/NAME."""
        if request.path_params["name"] != self._served.name:
            return _failed(missing("GET", request.url.path))
        return JSONResponse(self._model())

    async def chat(self, request: HTTPRequest) -> ASGIApp:
        """POST /v1/chat/completions."""
        return await self._answer(request, chat)

    async def text(self, request: HTTPRequest) -> ASGIApp:
        """POST /v1/completions."""
        return await self._answer(request, text)

    def _model(self) -> Mapping[str, Any]:
        return {
            "id": self._served.name,
            "object": "model",
            "created": self._since,
            "owned_by": "polyarch",
            "max_model_len": self._served.info.context,
        }

    def _info(self, name: str) -> ModelInfo | None:
        return self._served.info if name == self._served.name else None

    async def _answer(
        self,
        request: HTTPRequest,
        read: Callable[[bytes, Callable[[str], ModelInfo | None]], Asked],
    ) -> ASGIApp:
        try:
            if "json" not in request.headers.get("content-type", ""):
                return self._refuse(NOT_JSON)
            raw = await _body(request)
            if raw is None:
                return self._refuse(TOO_LARGE)
            return _Answer(read(raw, self._info), self._served, self._gate, self._metrics)
        except PolyarchError as error:
            return self._refuse(failure(error))

    def _refuse(self, told: Failure) -> ASGIApp:
        self._metrics.requests[str(told.status)] += 1
        return _failed(told)


class _Answer:
    """One request: it waits for its turn, then what answers it runs as long as the client stays."""

    def __init__(self, asked: Asked, served: Served, gate: Gate, metrics: Metrics) -> None:
        self._asked = asked
        self._served = served
        self._gate = gate
        self._metrics = metrics
        self._begun = False
        self._reply = Reply(asked)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outcome = "cancelled"
        try:
            await while_connected(receive, self._run(scope, receive, send))
            outcome = "200"
        except Gone:
            pass
        except Full:
            outcome = await self._fail(BUSY, scope, receive, send)
        except PolyarchError as error:
            outcome = await self._fail(failure(error), scope, receive, send)
        except Exception:  # noqa: BLE001 -- a client must be told, and the others served
            _log.exception("a request failed")
            outcome = await self._fail(unexpected(), scope, receive, send)
        finally:
            self._metrics.requests[outcome] += 1

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._gate.entered(), aclosing(self._counted()) as pieces:
            if self._asked.stream:
                await self._stream(pieces, send)
                return
            async for piece in pieces:
                self._reply.add(piece)
        await JSONResponse(self._reply.whole())(scope, receive, send)

    async def _counted(self) -> AsyncGenerator[Piece, None]:
        """The pieces; what they spent is counted as they come."""
        metrics = self._metrics
        async with aclosing(self._served.generate(self._asked.request)) as pieces:
            async for piece in pieces:
                metrics.prompt_tokens += piece.prompt_tokens
                metrics.cached_tokens += piece.cached_tokens
                metrics.completion_tokens += piece.completion_tokens
                yield piece

    async def _stream(self, pieces: AsyncGenerator[Piece, None], send: Send) -> None:
        """Events as the pieces come. The status is not told before the first is there."""
        async for piece in pieces:
            if not self._begun:
                self._begun = True
                await send(
                    {"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS}
                )
            if (told := self._reply.chunk(piece)) is not None:
                await send(_part(event(told)))
        last = self._reply.last()
        await send(_part((event(last) if last is not None else b"") + DONE, more=False))

    async def _fail(self, told: Failure, scope: Scope, receive: Receive, send: Send) -> str:
        """Tell a failure: by the status where that is still to be told, else in the stream."""
        if self._begun:
            await send(_part(event(told.body), more=False))
        else:
            await _failed(told)(scope, receive, send)
        return str(told.status)


def _part(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def _failed(told: Failure) -> ASGIApp:
    return JSONResponse(told.body, told.status, told.headers)


async def _body(request: HTTPRequest) -> bytes | None:
    """The body; None if it is too large."""
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > _LARGEST:
            return None
    return b"".join(parts)


async def _health(_: HTTPRequest) -> Response:
    return JSONResponse({"status": "ok"})


async def _not_found(request: HTTPRequest, error: Exception) -> Response:
    told = missing(request.method, request.url.path)
    return JSONResponse(told.body, getattr(error, "status_code", 404))
