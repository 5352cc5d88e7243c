"""How a reply is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex

from .bodies import Body
from .read import Unreadable

__all__ = ["Shape", "shape"]


@dataclass(frozen=True, slots=True)
class Shape:
    """How the reply to a request is wanted, and the id that it has."""

    id: str
    name: str
    """What answers, as the client calls it."""
    chat: bool
    choices: int
    stream: bool
    usage: bool
    """Whether a stream ends with what was spent."""
    continuous: bool
    """Whether every chunk says what its choice has spent so far."""


def shape(body: Body, *, chat: bool) -> Shape:
    """The shape that a body asks for. Raises `Unreadable`."""
    options = body.stream_options
    if options is not None and not body.stream:
        raise Unreadable("stream_options need stream: true", "stream_options")
    return Shape(
        id=f"{'chatcmpl' if chat else 'cmpl'}-{token_hex(12)}",
        name=body.model,
        chat=chat,
        choices=body.n or 1,
        stream=bool(body.stream),
        usage=bool(options and options.include_usage),
        continuous=bool(options and options.continuous_usage_stats),
    )
