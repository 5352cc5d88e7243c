"""What answers: something that turns a body into pieces of a reply."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from pydantic import BaseModel

from ..backends.base import Piece
from ..compiler.values import Json
from .shape import Shape

__all__ = ["Answering", "Aside", "Closing", "Said", "Served"]


@dataclass(frozen=True, slots=True)
class Aside:
    """Something about the work, told beside the reply to those who want to see it."""

    told: Json


@dataclass(frozen=True, slots=True)
class Closing:
    """What a reply ends with, beside its text: the extension field `polyarch`."""

    told: Mapping[str, Json]


Said: TypeAlias = "Piece | Aside | Closing"


@dataclass(frozen=True, slots=True)
class Answering:
    """A request that was read. Closing what `said` gives stops the work; it raises
    `PolyarchError`."""

    shape: Shape
    said: Callable[[], AsyncGenerator[Said, None]]


class Served(Protocol):
    """Answers requests under one name or several."""

    bodies: tuple[type[BaseModel], type[BaseModel]]
    """What a chat and a text completion are read as."""

    def cards(self) -> Sequence[Mapping[str, Any]]:
        """What /v1/models tells: one object a name, its `id`."""

    def chat(self, raw: bytes) -> Answering:
        """Read the body of a chat completion. Raises `Unreadable`, `NoSuchModel`."""

    def text(self, raw: bytes) -> Answering:
        """Read the body of a text completion. Raises `Unreadable`, `NoSuchModel`."""

    async def aclose(self) -> None:
        """Release everything. Idempotent."""
