"""Values with their places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..errors import Span
from .extent import Extent

__all__ = ["Entry", "Located", "Plain", "Scalar"]

Scalar: TypeAlias = "bool | int | float | str | None"
Plain: TypeAlias = "Scalar | list[Plain] | dict[str, Plain]"


@dataclass(frozen=True, slots=True)
class Entry:
    """A value of a mapping, with the place of its key."""

    key: Extent
    node: Located

    @property
    def key_span(self) -> Span:
        """Where the key stands."""
        return self.key.span()


@dataclass(frozen=True, slots=True)
class Located:
    """A value and where it stands.

    Where an alias stands, the place is the alias's and the parts inside keep the places where they
    were written.
    """

    value: Scalar | tuple[Located, ...] | dict[str, Entry]
    extent: Extent

    @property
    def span(self) -> Span:
        """The place, on the first line of it."""
        return self.extent.span()

    @property
    def end(self) -> tuple[int, int]:
        """The line and column just past it, counted from 1."""
        return self.extent.end

    def plain(self) -> Plain:
        """The value without places; a fresh copy."""
        if isinstance(self.value, dict):
            return {key: entry.node.plain() for key, entry in self.value.items()}
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        return self.value
