"""The embedded model, served over HTTP and asked through litellm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from conformance.subject import Opened, Subject
from served import MODEL, served

from polyarch.backends.litellm import info, open_backend
from polyarch.compiler.values import Json

__all__ = ["SUBJECTS"]

_NAME = f"hosted_vllm/{MODEL}"
_OFFERED: dict[str, Json] = {
    "seed": True,
    "logprobs": True,
    "purpose": True,
    "continuation": True,
    "context": 512,
    "max_tokens": 256,
}
_SHAPES: dict[str, dict[str, Json]] = {
    "apart": {},
    "together": {"n": True},
}


def _subject(name: str, shape: dict[str, Json]) -> Subject:
    options = {**_OFFERED, **shape}

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        with served() as server:
            backend = open_backend(_NAME, {**options, "api_base": server.url})
            yield Opened(backend, busy=server.running)

    return Subject(
        f"litellm-{name}",
        _NAME,
        info(_NAME, options),
        opened,
        endless_draws=32,
        # Several draws of one request come whole.
        streams="n" not in options,
        counts_draws="n" not in options,
    )


SUBJECTS = tuple(_subject(name, shape) for name, shape in _SHAPES.items())
