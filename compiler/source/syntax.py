"""What libyaml says of a text that is not YAML, as faults at the place to mend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import yaml

from ..errors import Fault
from .bounds import FAULTS
from .extent import Lines

__all__ = ["syntax_faults"]

_HINTS: Final = (
    ("mapping values are not allowed", 'a text that contains ": " needs quotes'),
    ("cannot start any token", "a text that begins with this character needs quotes"),
    ("could not find expected ':'", 'a key needs ": " after it'),
    ("unexpected end of stream", "a quote is not closed"),
)


def syntax_faults(error: yaml.MarkedYAMLError, lines: Lines) -> Iterator[Fault]:
    """The fault that an error of the parser stands for; one a line where tabs indent."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if tabbed := _tabbed(lines, line, column):
        for number in tabbed:
            span = lines.span(number, column if number == line else 1)
            yield Fault("yaml-tab", "a tab cannot indent YAML", span, "use spaces")
        return
    if not lines.row(line).strip():
        line, column = _begun(error, lines, line)
    problem = error.problem or "this is not YAML"
    context = f" ({error.context})" if error.context else ""
    hint = next((hint for part, hint in _HINTS if part in problem), "")
    if not hint and error.context_mark and error.context_mark.line + 1 != line:
        hint = f"begun on line {error.context_mark.line + 1}"
    yield Fault("yaml-syntax", problem + context, lines.span(line, column), hint)


def _tabbed(lines: Lines, line: int, column: int) -> list[int]:
    """The line of the error and those after it that a tab indents; none if no tab is to blame."""
    rest = enumerate(lines.rows[line - 1 :], line)
    tabbed = [number for number, row in rest if row.startswith("\t")]
    if lines.row(line)[column - 1 : column] != "\t" and line not in tabbed:
        return []
    return [line, *(n for n in tabbed if n > line and lines.row(n).strip())][:FAULTS]


def _begun(error: yaml.MarkedYAMLError, lines: Lines, line: int) -> tuple[int, int]:
    """Where the text is wrong: the end of the file is only where the parser gave up."""
    begun = error.context_mark
    if begun is not None and lines.row(begun.line + 1).strip():
        return begun.line + 1, begun.column + 1
    line = next((n for n in range(line - 1, 0, -1) if lines.row(n).strip()), 1)
    return line, len(lines.row(line).rstrip()) + 1
