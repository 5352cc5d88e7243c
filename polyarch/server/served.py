"""What answers: a model behind a name."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Protocol, cast

from ..backends.base import Backend, ModelInfo, Piece, Request
from ..compiler.errors import InputError
from ..compiler.names import nearest
from ..compiler.registry import backend, backend_names
from ..compiler.values import Json

__all__ = ["Served", "ServedModel", "served_model"]


class Served(Protocol):
    """Something that answers requests under a name."""

    name: str
    info: ModelInfo

    def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Answer piece by piece; closing the generator stops the work. Raises `PolyarchError`."""

    async def aclose(self) -> None:
        """Release everything. Idempotent."""


class ServedModel:
    """A model as its backend has it."""

    def __init__(self, name: str, info: ModelInfo, opened: Backend) -> None:
        self.name = name
        self.info = info
        self._backend = opened

    def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Ask the backend."""
        return self._backend.generate(request)

    async def aclose(self) -> None:
        """Close the backend. Idempotent."""
        await self._backend.aclose()


def served_model(model: str, options: Mapping[str, Json], name: str | None = None) -> ServedModel:
    """Open `backend/model`, to be served under its own name or another.

    Raises `InputError` for a backend that is not there, and what the backend raises.
    """
    kind, _, rest = model.partition("/")
    if kind not in backend_names() or not rest:
        hint = nearest(kind, backend_names())
        raise InputError(f"a model is written backend/name, and {kind!r} is no backend; {hint}")
    module = backend(kind)
    info = module.info(rest, options)
    return ServedModel(name or model, info, cast(Backend, module.open_backend(rest, options)))
