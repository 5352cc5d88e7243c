"""Bits of Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["fenced", "table", "undented"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table's lines; cells may hold any text."""
    yield _row(head)
    yield "|" + "---|" * len(head)
    yield from (_row(row) for row in rows)


def _row(cells: Sequence[str]) -> str:
    shown = (" ".join(cell.replace("|", "\\|").split()) for cell in cells)
    return f"| {' | '.join(shown)} |"


def fenced(kind: str, text: str) -> Iterator[str]:
    """A block of code."""
    yield f"```{kind}"
    yield text.rstrip("\n")
    yield "```"


def undented(text: str) -> str:
    """A docstring as Markdown: what follows a list item belongs to it by four spaces, not two."""
    lines = (f"  {line}" if line.startswith("  ") else line for line in text.splitlines())
    made: list[str] = []
    for line in lines:
        if line.startswith("- ") and made and made[-1] and not made[-1].startswith(("- ", " ")):
            made.append("")
        made.append(line)
    return "\n".join(made)
