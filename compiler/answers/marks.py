"""What a text itself marks as its answer: boxes and "answer" clauses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["CLAUSE", "MARKS_TRIED", "clauses", "last_box"]

MARKS_TRIED: Final = 50
"""How many marks are tried, from the last."""

CLAUSE: Final = 300
"""How many characters after a mark can be its answer."""

_BOX_TOKEN = re.compile(r"\\(?:boxed|fbox)\s*+\{|\\.|[{}]", re.DOTALL)
_BOX_OPEN = re.compile(r"\\(?:boxed|fbox)\s*+\{")
_MARK = re.compile(
    r"\banswers?+\b(?P<wrap>[\s\"'*_`]*+)"
    r"(?:(?P<link>[:=]|(?:is|are|was|equals|(?:will|would|should|must) be)\b)[\s\"'*_`:=]*+)?",
    re.IGNORECASE,
)


def last_box(text: str) -> tuple[int, str] | None:
    """Place and content of the last balanced box; a box inside another is part of it."""
    first = _BOX_OPEN.search(text)
    if first is None:
        return None
    last: tuple[int, int] | None = None
    opened: list[int] = []
    for token in _BOX_TOKEN.finditer(text, first.start()):
        piece = token[0]
        if piece == "{":
            opened.append(-1)
        elif piece == "}":
            start = opened.pop() if opened else -1
            if start >= 0:
                last = (start, token.start())
        elif len(piece) > 2:
            opened.append(token.end())
    return None if last is None else (last[0], text[slice(*last)])


def clauses(text: str) -> Iterator[tuple[int, bool, str]]:
    """What follows each "answer" mark, last first: its place, whether a colon or verb links the
    two, and the rest of the line."""
    marks = list(_MARK.finditer(text))[-MARKS_TRIED:]
    for mark in reversed(marks):
        rest = text[mark.end() : mark.end() + CLAUSE]
        yield mark.start(), mark["link"] is not None, rest.split("\n", 1)[0]
