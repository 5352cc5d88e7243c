"""A request over HTTP as a tool."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...compiler.errors import MissingPackage, ToolFailed
from ...compiler.toolspec import ToolSpec, placeholders
from ...compiler.values import Json
from .base import described, secret

if TYPE_CHECKING:
    import aiohttp

__all__ = ["HttpTool"]

_LARGEST = 4 << 20
"""Bytes of a reply."""
_SHOWN = 200
"""Characters of a reply that an error shows."""
_IN_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class HttpTool:
    """Asks one URL. A reply that says it is JSON is given as that, any other as its text.

    Redirects are not followed, so that keys go to no other place than the one that was written.
    """

    def __init__(
        self, name: str, spec: ToolSpec, environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment` holds the keys; the process's own if left out. Raises `ToolFailed` for a
        key that is not there, `MissingPackage`."""
        try:
            import aiohttp
        except ModuleNotFoundError as error:
            raise MissingPackage(
                "tools over HTTP need aiohttp: pip install 'polyarch[http]'"
            ) from error
        assert spec.http is not None
        held = os.environ if environment is None else environment
        self._spec = spec.http
        self._headers = {key: secret(name, value, held) for key, value in spec.http.headers.items()}
        self.tool = described(name, spec, "", _parameters(spec))
        self._client = aiohttp
        self._session: aiohttp.ClientSession | None = None

    async def call(self, arguments: Mapping[str, Json]) -> Json:
        """What the server replies. Raises `ToolFailed`, which may pass where the server is busy or
        cannot be reached."""
        if self._session is None:
            self._session = self._client.ClientSession(headers=self._headers)
        url, rest = _filled(self._spec.url, arguments)
        body = self._spec.method in ("POST", "PUT", "PATCH")
        given: dict[str, Any] = {"json": rest} if body else {"params": _texts(rest)}
        try:
            async with self._session.request(
                self._spec.method, url, allow_redirects=False, **given
            ) as reply:
                return await _read(reply)
        except self._client.ClientError as error:
            raise ToolFailed(f"{type(error).__name__}: {error}", passing=True) from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()


def _parameters(spec: ToolSpec) -> Mapping[str, Any]:
    """The arguments that the URL names, as texts."""
    assert spec.http is not None
    named = placeholders(spec.http.url)
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in named},
        "required": list(named),
        "additionalProperties": False,
    }


def _filled(url: str, arguments: Mapping[str, Json]) -> tuple[Any, dict[str, Json]]:
    """The URL with what it names filled in, and what is left. An argument is no more than one part
    of a path or one value: whatever else it holds is quoted."""
    from yarl import URL

    def put(found: re.Match[str]) -> str:
        text = _text(arguments.get(found[1], ""))
        if text in (".", ".."):
            raise ToolFailed(f"argument {found[1]}: {text!r} is no part of a path")
        return quote(text, safe="")

    named = placeholders(url)
    rest = {name: value for name, value in arguments.items() if name not in named}
    return URL(re.sub(r"\{(\w+)\}", put, url), encoded=True), rest


def _texts(arguments: Mapping[str, Json]) -> dict[str, str]:
    return {name: _text(value) for name, value in arguments.items() if value is not None}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def _read(reply: aiohttp.ClientResponse) -> Json:
    data = await reply.content.read(_LARGEST + 1)
    while len(data) <= _LARGEST and (more := await reply.content.read(_LARGEST + 1 - len(data))):
        data += more
    text = data.decode(reply.charset or "utf-8", "replace")
    if reply.status >= 300:
        told = f"HTTP {reply.status} {reply.reason}: {' '.join(text.split())[:_SHOWN]}"
        raise ToolFailed(told.rstrip(": "), passing=reply.status in _IN_PASSING)
    if len(data) > _LARGEST:
        raise ToolFailed(f"the reply is larger than {_LARGEST >> 20} MiB")
    if "json" not in reply.content_type:
        return text
    try:
        value: Json = json.loads(text)
    except ValueError as error:
        raise ToolFailed(f"the reply says it is JSON, and is not: {error}") from error
    return value
