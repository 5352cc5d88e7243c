"""What becomes of one request that was read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from ..compiler.errors import PolyarchError
from ..compiler.values import Json
from .connection import Gone, while_connected
from .failures import BUSY, Failure, failure, unexpected
from .gate import Full, Gate
from .replies import DONE, Reply, comment, event
from .served import Answering, Aside, Closing, Said

__all__ = ["Answer"]

_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
]
_ID = "x-request-id"
_SILENCE = 15.0
"""Seconds without a word after which a stream says that it is alive."""

_log = logging.getLogger("polyarch.server")


class Answer:
    """One request: it waits for its turn, then what answers it runs as long as the client stays.

    An ASGI application. `outcome` is the status in the end, or `cancelled`.
    """

    def __init__(self, answering: Answering, gate: Gate) -> None:
        self.outcome = "cancelled"
        self._why = ""
        self._answering = answering
        self._gate = gate
        self._begun = False
        self._speaking = asyncio.Lock()
        self._count = 0
        """How often something was said."""
        self._reply = Reply(answering.shape)

    def record(self) -> dict[str, Json]:
        """What is logged of it: nothing of what was said."""
        shape, reply = self._answering.shape, self._reply
        return {
            "id": shape.id,
            "model": shape.name,
            "status": self.outcome,
            "stream": shape.stream,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            **({"why": self._why} if self._why else {}),
        }

    @property
    def _id(self) -> Mapping[str, str]:
        """The header that tells the request's id, also where a reply does not come to tell it."""
        return {_ID: self._answering.shape.id}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await while_connected(receive, self._run(scope, receive, send))
            self.outcome = "200"
        except Gone:
            pass
        except Full:
            await self._fail(BUSY, scope, receive, send)
        except PolyarchError as error:
            await self._fail(failure(error), scope, receive, send)
        except Exception:  # noqa: BLE001 -- a client must be told, and the others served
            _log.exception("a request failed")
            await self._fail(unexpected(), scope, receive, send)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._gate.entered(), aclosing(self._answering.said()) as said:
            if self._answering.shape.stream:
                await self._stream(said, send)
                return
            async for one in said:
                if isinstance(one, Closing):
                    self._reply.close(one.told)
                elif not isinstance(one, Aside):
                    self._reply.add(one)
        await JSONResponse(self._reply.whole(), headers=self._id)(scope, receive, send)

    async def _stream(self, said: AsyncGenerator[Said, None], send: Send) -> None:
        """Events as they come. The status is not told before the first is there, or a while has
        passed."""
        alive = asyncio.create_task(self._keep_alive(send))
        try:
            async for one in said:
                if told := self._told(one):
                    await self._say(told, send)
        finally:
            alive.cancel()
            await asyncio.gather(alive, return_exceptions=True)
        last = self._reply.last()
        await self._say((event(last) if last is not None else b"") + DONE, send, more=False)

    async def _keep_alive(self, send: Send) -> None:
        """Say something into every long silence."""
        while True:
            said = self._count
            await asyncio.sleep(_SILENCE)
            if self._count == said:
                await self._say(comment(), send)

    def _told(self, one: Said) -> bytes:
        """What of this goes into the stream."""
        if isinstance(one, Aside):
            return comment(one.told)
        if isinstance(one, Closing):
            self._reply.close(one.told)
            return b""
        told = self._reply.chunk(one)
        return b"" if told is None else event(told)

    async def _say(self, data: bytes, send: Send, *, more: bool = True) -> None:
        async with self._speaking:
            if not self._begun:
                self._begun = True
                headers = [*_STREAM_HEADERS, (_ID.encode(), self._id[_ID].encode())]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
            self._count += 1
            await send(_part(data, more=more))

    async def _fail(self, told: Failure, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell a failure: by the status where that is still to be told, else in the stream."""
        self.outcome, self._why = str(told.status), told.message
        if self._begun:
            await send(_part(event(told.body), more=False))
        else:
            headers = {**told.headers, **self._id}
            await JSONResponse(told.body, told.status, headers)(scope, receive, send)


def _part(data: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
