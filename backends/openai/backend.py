"""The connections: requests out, blocks of bytes in."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from ...compiler.values import Image
from ..apart import apart
from ..base import Backend, Draw, Piece, Request
from .body import body
from .faults import Faults
from .metrics import waiting_in
from .numbers import read_numbers
from .options import Options
from .reading import Reading
from .sse import Events

__all__ = ["OpenAI"]

_IDLE = 4.0
"""Seconds that a connection is kept for the next request: less than any common server keeps it, so
that none is found closed in the moment it is used."""
_METRICS = aiohttp.ClientTimeout(total=2.0)
_LINGER = 1.0
"""Seconds that a server may take to end a stream it has said to be done."""
_HERE = ("localhost", "127.0.0.1", "::1")
_EXCERPT = 1 << 16
"""Bytes read of a failure."""
_PER_IMAGE = 4096
"""Tokens reserved for an image."""


class OpenAI(Backend):
    """A model behind an OpenAI-compatible endpoint, over pooled connections.

    Closing the generator of a request closes its connection, which is how such servers are told to
    stop. Where one request may not ask for several draws, it is sent as several; what nobody says
    is found out with the first such request.
    """

    def __init__(self, model: str, options: Options) -> None:
        self._model = model
        self._options = options
        self._faults = Faults(f"openai/{model} at {options.base_url}", options.key_name)
        self._url = URL(_address(options))
        self._together = options.together
        """Whether several draws are asked for in one request; None until that was tried."""
        self._client: aiohttp.ClientSession | None = None

    def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Answer a request, with a piece for each draw that something arrived of."""
        if len(request.draws) == 1 or self._together:
            return self._one(request)
        return self._tried(request) if self._together is None else apart(self._one, request)

    def prompt_tokens(self, request: Request) -> int:
        """An upper bound: bytes of text; for an image what most models need at most."""
        images = sum(
            isinstance(part, Image)
            for message in request.messages
            if not isinstance(message.content, str)
            for part in message.content
        )
        schema = 0
        if request.schema is not None and self._options.guided == "response_format":
            schema = len(json.dumps(request.schema))  # OpenAI puts it into the prompt
        tools = sum(len(f"{t.name}{t.about}{json.dumps(t.parameters)}") for t in request.tools)
        calls = sum(len(f"{c.name}{c.arguments}") for m in request.messages for c in m.calls)
        text = super().prompt_tokens(request) + len(request.prefix.encode())
        return text + schema + tools + calls + _PER_IMAGE * images

    async def waiting(self) -> int | None:
        """How many requests wait in the server's queue; None where its metrics cannot be read."""
        if not self._options.metrics or self._client is None:
            return None
        url = URL(self._options.base_url.removesuffix("/v1") + "/metrics")
        try:
            async with self._client.get(url, timeout=_METRICS) as response:
                told = await response.text()
        except (aiohttp.ClientError, TimeoutError):
            return None
        return waiting_in(told)

    async def aclose(self) -> None:
        """Close all connections. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _one(
        self, request: Request, left: list[Draw] | None = None
    ) -> AsyncGenerator[Piece, None]:
        """One HTTP request. Draws that the server leaves out are put into `left`, if given."""
        fields = body(self._model, self._options, request, self._faults)
        response = await self._post(json.dumps(fields).encode())
        try:
            if response.status != 200:
                said = await self._whole(response, _EXCERPT)
                if left is not None and self._faults.about_n(response.status, said):
                    left += request.draws
                    return
                raise self._faults.answered(response.status, response.headers, said)
            if request.wants != "text":
                yield read_numbers(await self._whole(response), request, self._faults)
                return
            reading = Reading(request, self._faults)
            async for piece in self._read(response, reading):
                yield piece
            if left is not None:
                left += reading.leave_out()
            for piece in reading.end():
                yield piece
            if reading.done and not response.content.at_eof():
                await self._linger(response)
        finally:
            response.close()

    async def _read(
        self, response: aiohttp.ClientResponse, reading: Reading
    ) -> AsyncGenerator[Piece, None]:
        """What a success says, as it comes."""
        if response.content_type == "application/json":
            reading.take(await self._whole(response) or b"{}", whole=True)
            return
        events = Events(self._faults)
        while not reading.done and (block := await self._block(response)):
            try:
                for data in events.feed(block):
                    reading.take(data)
            finally:  # what came before a failure is charged, too
                for piece in reading.pieces():
                    yield piece
        if not reading.done:
            for data in events.end():
                reading.take(data)

    async def _tried(self, request: Request) -> AsyncGenerator[Piece, None]:
        """All draws in one request, and those that the server leaves out apart, now and always."""
        left: list[Draw] = []
        async with aclosing(self._one(request, left)) as pieces:
            async for piece in pieces:
                yield piece
        self._together = not left
        if left:
            async with aclosing(apart(self._one, replace(request, draws=tuple(left)))) as pieces:
                async for piece in pieces:
                    yield piece

    async def _post(self, encoded: bytes) -> aiohttp.ClientResponse:
        client = self._client or self._open()
        try:
            return await client.post(self._url, data=encoded, allow_redirects=False)
        except (aiohttp.ClientError, OSError) as error:
            failure = self._faults.broken(error)
        # Out here it has no context: aiohttp's errors can hold the headers, and so the key.
        raise failure

    async def _block(self, response: aiohttp.ClientResponse) -> bytes:
        """What has arrived; nothing at the end."""
        try:
            return await response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            failure = self._faults.broken(error)
        raise failure

    async def _whole(self, response: aiohttp.ClientResponse, most: int | None = None) -> bytes:
        """The body, or its beginning."""
        blocks = []
        while (most is None or most > 0) and (block := await self._block(response)):
            blocks.append(block)
            most = None if most is None else most - len(block)
        return b"".join(blocks)

    async def _linger(self, response: aiohttp.ClientResponse) -> None:
        """Wait for the end of a stream that is done, so that its connection can be used again."""
        try:
            async with asyncio.timeout(_LINGER):
                while not response.content.at_eof():
                    await response.content.readany()
        except (aiohttp.ClientError, OSError):
            return  # the reply is complete; the connection is not kept

    def _open(self) -> aiohttp.ClientSession:
        """The client, for the loop that runs."""
        options = self._options
        headers = {"User-Agent": "polyarch", **options.headers, "Content-Type": "application/json"}
        if key := self._key():
            self._faults.hide(key)
            headers["Authorization"] = f"Bearer {key}"
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=options.timeout_connect, sock_read=options.timeout_read
            ),
            proxy=_proxy(options.base_url),
        )
        return self._client

    def _key(self) -> str:
        name = self._options.key_name
        key = os.environ.get(name, "").strip() if name is not None else ""
        if not key and self._options.openai:
            raise self._faults.no_key(f"set {name}")
        if not (key.isascii() and key.isprintable()):
            raise self._faults.no_key(f"what {name} holds cannot be one")
        return key


def _address(options: Options) -> str:
    """Where requests go."""
    match options.api:
        case "chat":
            return f"{options.base_url}/chat/completions"
        case "reward":
            return options.base_url.removesuffix("/v1") + options.reward_path
        case other:
            return f"{options.base_url}/{other}"


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for this address; never one for this very machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in _HERE or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)
