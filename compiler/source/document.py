"""A file that has been read, and where in it a value stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import Span
from .extent import Lines
from .tree import Entry, Located, Plain

__all__ = ["Document"]


@dataclass(frozen=True, slots=True)
class Document:
    """A file that has been read: its text and its tree."""

    lines: Lines
    root: Located

    @property
    def file(self) -> str:
        """What the file is called."""
        return self.lines.file

    @property
    def text(self) -> str:
        """The text that was read."""
        return self.lines.text

    def plain(self) -> Plain:
        """The whole tree without places; a fresh copy."""
        return self.root.plain()

    def node(self, path: Sequence[str | int]) -> Located | None:
        """The value at a path such as `("steps", "drafts", "n")`, None where there is none."""
        found = self._walk(path)
        return found[-1].node if len(found) == len(path) + 1 else None

    def span(self, path: Sequence[str | int], key: bool = False) -> Span:
        """The place of the value at a path, or of its key; of the nearest ancestor that exists
        where the path leads nowhere."""
        found = self._walk(path)
        last = found[-1]
        return last.key_span if key and len(found) == len(path) + 1 else last.node.span

    def inside(self, path: Sequence[str | int], piece: str, nth: int = 0) -> Span:
        """The place of the nth `piece` within the text of the value at a path, such as a variable
        in a prompt; the place of the value where it is not written out like that."""
        node = self.node(path)
        if node is None or not piece:
            return self.span(path)
        first, (last, after) = node.extent.line, node.end
        for number in range(first, last + 1):
            row = self.lines.row(number)
            column = node.extent.column - 1 if number == first else 0
            stop = after - 1 if number == last else len(row)
            while (column := row.find(piece, column, stop)) >= 0:
                if nth == 0:
                    return self.lines.span(number, column + 1, len(piece))
                nth -= 1
                column += len(piece)
        return node.span

    def _walk(self, path: Sequence[str | int]) -> list[Entry]:
        """The entries along a path, root first, as far as it exists."""
        found = [Entry(self.root.extent, self.root)]
        for part in path:
            value = found[-1].node.value
            if isinstance(value, dict) and isinstance(part, str) and part in value:
                found.append(value[part])
            elif isinstance(value, tuple) and isinstance(part, int) and 0 <= part < len(value):
                found.append(Entry(value[part].extent, value[part]))
            else:
                break
        return found
