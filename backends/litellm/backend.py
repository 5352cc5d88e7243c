"""Calls into litellm: one request each, streamed, whole or for an embedding."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from ...compiler.values import Image
from ..apart import apart
from ..base import Backend, Capability, ModelInfo, Piece, Request, refuse_unoffered
from .body import Target, body, embedded
from .clients import Clients
from .faults import Faults
from .importing import load
from .options import Options
from .reading import Streamed, usage_in, vector, whole
from .starting import started

__all__ = ["LiteLLM"]

_PER_IMAGE = 4096
"""Tokens reserved for an image."""
_NO_KEY = "none"
"""What servers are sent that no key was named for: some clients want one."""


class LiteLLM(Backend):
    """A model behind any provider, through litellm.

    A request for one draw is streamed, and closing its generator closes the connection. Several
    come whole or are asked for apart.
    """

    def __init__(self, model: str, options: Options, info: ModelInfo) -> None:
        self._litellm = load()
        self._options = options
        self._info = info
        self._name = f"litellm/{model}"
        where = f" at {options.api_base}" if options.api_base else ""
        self._faults = Faults(self._name + where, options.key_env)
        self._target = Target(self._litellm, model, options, self._faults)
        self._own_key = model.partition("/")[0] in ("azure", "azure_ai")
        self._clients: Clients | None = None

    def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Answer a request. Raises the subclasses of `BackendError`."""
        refuse_unoffered(self._name, self._info.capabilities, request)
        if request.wants == "embedding":
            return self._embedding(request)
        if len(request.draws) == 1 and self._options.stream:
            return self._streamed(request)
        if len(request.draws) > 1 and Capability.DRAWS not in self._info.capabilities:
            return apart(self._streamed if self._options.stream else self._whole, request)
        return self._whole(request)

    def prompt_tokens(self, request: Request) -> int:
        """An upper bound: bytes of text, schemas and tools; for an image what most models need at
        most."""
        images = sum(
            isinstance(part, Image)
            for message in request.messages
            if not isinstance(message.content, str)
            for part in message.content
        )
        shown = [request.prefix]
        shown += [json.dumps(request.schema)] if request.schema is not None else []
        shown += [t.name + t.about + json.dumps(t.parameters) for t in request.tools]
        shown += [c.name + c.arguments for m in request.messages for c in m.calls]
        bytes_shown = sum(len(text.encode()) for text in shown)
        return super().prompt_tokens(request) + bytes_shown + _PER_IMAGE * images

    async def aclose(self) -> None:
        """Close litellm's connections, if no other backend uses them. Idempotent."""
        clients, self._clients = self._clients, None
        if clients is not None:
            await clients.release()

    async def _streamed(self, request: Request) -> AsyncGenerator[Piece, None]:
        fields = body(self._target, request, whole=False)
        stream = await self._call(self._litellm.acompletion, fields)
        async with aclosing(stream):
            reading = Streamed(request, self._faults)
            while not reading.finish and (chunk := await self._next(stream)) is not None:
                piece = reading.take(chunk)
                if piece is not None:
                    yield piece
            if not (stream.received_finish_reason or stream.intermittent_finish_reason):
                # litellm makes an end up for a stream that was cut off.
                raise self._faults.unreadable("ended before the reply did")
            yield reading.end(await self._told(usage_in(stream)))

    async def _whole(self, request: Request) -> AsyncGenerator[Piece, None]:
        fields = body(self._target, request, whole=True)
        response = await self._call(self._litellm.acompletion, fields)
        for piece in whole(response, request, self._faults):
            yield piece

    async def _embedding(self, request: Request) -> AsyncGenerator[Piece, None]:
        response = await self._call(self._litellm.aembedding, embedded(self._target, request))
        yield vector(response, request, self._faults)

    async def _call(self, function: Any, fields: dict[str, Any]) -> Any:
        """One call of litellm's. Raises `BackendError`."""
        if self._clients is None:
            self._clients = Clients(self._litellm)
        if (key := self._key()) is not None:
            fields["api_key"] = key
        return await self._told(started(function(**fields)))

    async def _next(self, stream: Any) -> Any:
        """The next chunk, None at the end. Raises `BackendError`."""
        return await self._told(anext(stream, None))

    async def _told(self, work: Any) -> Any:
        """What litellm says. Raises `BackendError` for whatever it raises."""
        try:
            return await work
        except Exception as error:  # noqa: BLE001 -- litellm raises what its providers' code does
            failure = self._faults.of(error)
        # Out here it has no context: litellm's errors can hold the headers, and so the key.
        raise failure

    def _key(self) -> str | None:
        """The key to hand over; None where litellm finds the provider's own."""
        name = self._options.key_env
        if name is None:
            return _NO_KEY if self._options.api_base and not self._own_key else None
        key = os.environ.get(name, "").strip()
        if not key:
            raise self._faults.no_key(f"set {name}")
        if not (key.isascii() and key.isprintable()):
            raise self._faults.no_key(f"what {name} holds cannot be one")
        return key
