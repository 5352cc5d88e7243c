"""Where a value stands in a text, cheap to keep for each; a span is made when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

import yaml

from ..errors import Span

__all__ = ["Extent", "Lines", "collection_extent", "event_extent", "split_lines"]

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


def split_lines(text: str) -> list[str]:
    """The lines of a text, at the line breaks that YAML knows."""
    return _BREAK.split(text)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a file. They count from 1, and so do columns."""

    file: str
    text: str
    rows: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", split_lines(self.text))

    def row(self, line: int) -> str:
        """The text of a line, "" past the end."""
        return self.rows[line - 1] if line <= len(self.rows) else ""

    def span(self, line: int, column: int, width: int = 1) -> Span:
        """A place in these lines, at least one character wide."""
        return Span(self.file, line, column, max(1, width), self.row(line))


class Extent(NamedTuple):
    """From where to where a value reaches."""

    lines: Lines
    line: int
    column: int
    edge: int
    """The column just past it on its first line, 0 where it takes the rest of that line."""
    end: tuple[int, int]
    """The line and column just past it."""

    @property
    def reach(self) -> int:
        """The column just past it on its first line, which is at least one character."""
        edge = self.edge or len(self.lines.row(self.line).rstrip()) + 1
        return max(edge, self.column + 1)

    def span(self) -> Span:
        """The place of its first line."""
        return self.lines.span(self.line, self.column, self.reach - self.column)


_END: Callable[[Extent], tuple[int, int]] = attrgetter("end")


def event_extent(lines: Lines, event: yaml.Event) -> Extent:
    """The extent of what one event of the parser stands for."""
    start, end = event.start_mark, event.end_mark
    assert start is not None
    assert end is not None
    line, last, after = start.line, end.line, end.column + 1
    edge = after if line == last else 0
    return Extent(lines, line + 1, start.column + 1, edge, (last + 1, after))


def collection_extent(
    start: Extent, flow_style: bool, stop: Extent, inner: Sequence[Extent]
) -> Extent:
    """The extent of a list or mapping from its first and last event and what stands between.

    The last event of a block collection lies on the next token, so what stands inside says how far
    it reaches.
    """
    line, column = start.line, start.column
    if flow_style:
        end = stop.end
        edge = end[1] if end[0] == line else 0
        return start._replace(edge=edge, end=end)
    end = max(map(_END, inner), default=(line, column + 1))
    if end[0] == line:
        return start._replace(edge=end[1], end=end)
    edge = max((extent.reach for extent in inner if extent.line == line), default=0)
    return start._replace(edge=edge, end=end)
