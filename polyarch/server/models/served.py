"""A model behind a name."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

from pydantic import BaseModel

from ...backends.base import Backend, ModelInfo, Request
from ...compiler.errors import InputError
from ...compiler.names import nearest
from ...compiler.registry import backend, backend_names
from ...compiler.values import Json, Usage
from ..metrics import Metrics
from ..served import Answering, Said
from .asked import Asked, chat, text
from .bodies import ChatBody, TextBody

__all__ = ["ServedModel", "served_model"]


class ServedModel:
    """A model as its backend has it. Implements `server.served.Served`."""

    bodies: tuple[type[BaseModel], type[BaseModel]] = (ChatBody, TextBody)

    def __init__(self, name: str, info: ModelInfo, opened: Backend, metrics: Metrics) -> None:
        self.name = name
        self.info = info
        self._backend = opened
        self._metrics = metrics
        self._since = int(time.time())
        metrics.spent(name, Usage())

    def cards(self) -> Sequence[Mapping[str, Any]]:
        """The one model."""
        card = {
            "id": self.name,
            "object": "model",
            "created": self._since,
            "owned_by": "polyarch",
            "max_model_len": self.info.context,
        }
        return (card,)

    def chat(self, raw: bytes) -> Answering:
        """A chat completion. Raises `Unreadable`, `NoSuchModel`."""
        return self._answering(chat(raw, self._info))

    def text(self, raw: bytes) -> Answering:
        """A text completion. Raises `Unreadable`, `NoSuchModel`."""
        return self._answering(text(raw, self._info))

    async def aclose(self) -> None:
        """Close the backend. Idempotent."""
        await self._backend.aclose()

    def _info(self, name: str) -> ModelInfo | None:
        return self.info if name == self.name else None

    def _answering(self, asked: Asked) -> Answering:
        return Answering(asked.shape, lambda: self._said(asked.request))

    async def _said(self, request: Request) -> AsyncGenerator[Said, None]:
        """The pieces; what they spent is counted as they come."""
        async with aclosing(self._backend.generate(request)) as pieces:
            async for piece in pieces:
                prompt, cached = piece.prompt_tokens, piece.cached_tokens
                usage = Usage(0, prompt, cached, piece.completion_tokens)
                self._metrics.spent(self.name, usage)
                yield piece


def served_model(
    model: str, options: Mapping[str, Json], metrics: Metrics, name: str | None = None
) -> ServedModel:
    """Open `backend/model`, to be served under its own name or another.

    Raises `InputError` for a backend that is not there, and what the backend raises.
    """
    kind, _, rest = model.partition("/")
    if kind not in backend_names() or not rest:
        hint = nearest(kind, backend_names())
        raise InputError(f"a model is written backend/name, and {kind!r} is no backend; {hint}")
    module = backend(kind)
    info = module.info(rest, options)
    opened = cast(Backend, module.open_backend(rest, options))
    return ServedModel(name or model, info, opened, metrics)
