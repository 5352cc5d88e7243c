"""The embedded model once more, over HTTP: every shape of request that the client knows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

from conformance.subject import Opened, Subject
from served import MODEL, Server, served

from polyarch.backends.openai import info, open_backend
from polyarch.compiler.values import Json

__all__ = ["SUBJECTS"]

_OFFERED: dict[str, Json] = {
    "seed": True,
    "logprobs": True,
    "purpose": True,
    "guided": "none",
    "tools": False,
    "images": False,
    "context": 512,
    "max_tokens": 256,
}
_SHAPES: dict[str, dict[str, Json]] = {
    "chat": {"continuation": True},
    "chat-n": {"continuation": True, "n": True, "continuous_usage": True},
    "chat-whole": {"continuation": True, "n": True, "stream": False},
    "text": {"api": "completions", "n": True},
    "text-whole": {"api": "completions", "stream": False},
}


class _Shared:
    """One server for all shapes, as long as one of them is open."""

    def __init__(self) -> None:
        self._users = 0
        self._stack = ExitStack()
        self._server: Server | None = None

    @contextmanager
    def used(self) -> Iterator[Server]:
        if self._server is None:
            self._server = self._stack.enter_context(served())
        self._users += 1
        try:
            yield self._server
        finally:
            self._users -= 1
            if not self._users:
                self._server = None
                self._stack.close()


_SHARED = _Shared()


def _subject(name: str, shape: dict[str, Json]) -> Subject:
    options = {**_OFFERED, **shape}

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        with _SHARED.used() as server:
            backend = open_backend(MODEL, {**options, "base_url": server.url})
            yield Opened(backend, busy=server.running)

    streams = options.get("stream", True) is True
    return Subject(
        f"openai-{name}",
        MODEL,
        info(MODEL, options),
        opened,
        # Draws asked for apart are a request each, and a client's time as well.
        endless_draws=512 if options.get("n") else 64,
        streams=streams,
        counts_draws=bool(options.get("continuous_usage")) or not options.get("n"),
    )


SUBJECTS = tuple(_subject(name, shape) for name, shape in _SHAPES.items())
