"""Values as Python source, laid out as a formatter would lay them out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import NamedTuple

from ..answers import AnswerKind, Choice, Exact, JsonAnswer, Regex
from ..values import Json

__all__ = ["Call", "Name", "answer", "literal", "quoted"]

_WIDTH = 88
_STEP = 4


class Name(NamedTuple):
    """A name, written as it is."""

    text: str


class Call(NamedTuple):
    """A call; arguments by keyword, "" for those by position."""

    function: str
    arguments: Sequence[tuple[str, object]]


def answer(kind: AnswerKind) -> str | Mapping[str, Json]:
    """An answer kind as `answer:` in a pipeline names it."""
    match kind:
        case Choice(options=options) if kind != Choice():
            return {kind.name: list(options)}
        case Exact(fold=True):
            return {kind.name: {"case": "fold"}}
        case JsonAnswer(field=field) if field:
            return {kind.name: {"field": field}}
        case Regex(pattern=pattern):
            return {kind.name: pattern}
    return kind.name


def literal(value: object, column: int = 0, indent: int = 0) -> str:
    """A value as source: on one line if it fits, else one item a line.

    The source begins at `column` of a line that is indented by `indent`.
    """
    flat = _flat(value)
    if column + len(flat) < _WIDTH:
        return flat
    inner = indent + _STEP
    match value:
        case str():
            lines = list(_pieces(value, _WIDTH - inner))
            return (
                _exploded("(", lines, ")", inner) if len(lines) > 1 or _fits(flat, inner) else flat
            )
        case Name() | None | bool() | int() | float():
            return flat
        case _:
            start, items, stop = _parts(value)
            lines = [f"{head}{literal(item, inner + len(head), inner)}," for head, item in items]
            return _exploded(start, lines, stop, inner)


def _fits(flat: str, column: int) -> bool:
    return column + len(flat) <= _WIDTH


def _exploded(start: str, lines: Sequence[str], stop: str, indent: int) -> str:
    margin = " " * indent
    return "\n".join([start, *(margin + line for line in lines), margin[_STEP:] + stop])


def _parts(value: object) -> tuple[str, Sequence[tuple[str, object]], str]:
    """A container's opening, its items with what stands before each, and its closing."""
    match value:
        case Call(function, arguments):
            return f"{function}(", [(f"{k}=" if k else "", v) for k, v in arguments], ")"
        case Mapping():
            return "{", [(f"{quoted(str(key))}: ", item) for key, item in value.items()], "}"
        case tuple():
            return "(", [("", item) for item in value], ")"
        case list():
            return "[", [("", item) for item in value], "]"
    raise TypeError(f"no literal for {type(value).__name__}")


def _flat(value: object) -> str:
    match value:
        case str():
            return quoted(value)
        case Name(text):
            return text
        case float():
            return repr(value) if isfinite(value) else f'float("{value}")'
        case None | bool() | int():
            return repr(value)
    start, items, stop = _parts(value)
    lone = "," if len(items) == 1 and start == "(" else ""
    return f"{start}{', '.join(head + _flat(item) for head, item in items)}{lone}{stop}"


def _pieces(text: str, width: int) -> Iterator[str]:
    """A string's literals one below the other: cut after line breaks, and between words."""
    if len(whole := quoted(text)) <= width:
        yield whole
        return
    for line in text.splitlines(keepends=True):
        yield from _cut(line, width)


_WORD = re.compile(r"\s*\S+\s*|\s+")


def _cut(line: str, width: int) -> Iterator[str]:
    piece = ""
    for word in _WORD.findall(line):
        if piece and len(quoted(piece + word)) > width:
            yield quoted(piece)
            piece = ""
        piece += word
    yield quoted(piece)


def quoted(text: str) -> str:
    """A string literal in double quotes, or in single ones where that saves escapes."""
    quote = '"' if text.count('"') <= text.count("'") else "'"
    return quote + "".join(_escaped(character, quote) for character in text) + quote


def _escaped(character: str, quote: str) -> str:
    if character in "'\"":
        return f"\\{character}" if character == quote else character
    return repr(character)[1:-1]
