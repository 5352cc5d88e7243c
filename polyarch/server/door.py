"""Who is let in."""

from __future__ import annotations

from collections.abc import Collection

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .failures import NO_KEY, WRONG_HOST, Failure
from .keys import Keys, loopback

__all__ = ["Door"]


class Door:
    """Lets in whoever has a key; without keys, whoever calls this machine by its own name, so that
    no web page can have a browser ask. `opened` are paths that need no key."""

    def __init__(self, inner: ASGIApp, keys: Keys, opened: Collection[str]) -> None:
        self._inner = inner
        self._keys = keys
        self._opened = frozenset(opened)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            told = JSONResponse(refusal.body, refusal.status, refusal.headers)
            return await told(scope, receive, send)
        return await self._inner(scope, receive, send)

    def _refusal(self, scope: Scope) -> Failure | None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if not self._keys:
            return None if loopback(headers.get(b"host", "")) else WRONG_HOST
        if scope["path"] in self._opened or self._keys.open_to(headers.get(b"authorization", "")):
            return None
        return NO_KEY
