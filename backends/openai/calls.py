"""Calls of tools, put together from what a stream says of them."""

from __future__ import annotations

from ...compiler.values import ToolCall
from .wire import Call

__all__ = ["Calls"]


class Calls:
    """The calls of one draw, in the order they began. Sans-I/O.

    A part belongs to the call of its index. Where a server gives none, a part with a name begins a
    call, and one without goes on with the last.
    """

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: dict[int, _Made] = {}

    def hear(self, told: Call) -> None:
        """Something new of a call."""
        function = told.function
        name = (function.name or "") if function is not None else ""
        at = told.index
        if at is None:
            at = len(self._made) if name or not self._made else max(self._made)
        made = self._made.setdefault(at, _Made())
        made.id = made.id or told.id or ""
        made.name += name
        made.arguments += (function.arguments or "") if function is not None else ""

    def whole(self) -> tuple[ToolCall, ...]:
        """All calls; one without an id is named by its place."""
        return tuple(
            ToolCall(made.id or f"call_{place}", made.name, made.arguments)
            for place, made in enumerate(self._made.values())
        )


class _Made:
    """A call so far."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = self.name = self.arguments = ""
