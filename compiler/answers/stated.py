"""Numbers that a short text states: a box, a clause, a piece in bold."""

from __future__ import annotations

import re
from typing import Final

from .last import TAIL, last
from .marks import CLAUSE
from .numeral import Numeral, numerals

__all__ = ["bold_number", "said_number", "whole_number"]

_CLOSING: Final = 3
_OPERATOR = re.compile(
    r"""\s*(?:
        \\(?:sqrt|pi|frac)(?![a-zA-Z])|√|π
        |(?:[=+\u00d7·÷<>≈/\-\u2212\u2013]|\*(?!\*)|\^(?!\{?\\circ)|\\(?:times|cdot|div|pm)(?![a-zA-Z]))
         \s*[-$\d(\\]
    )""",
    re.VERBOSE,
)
_IRRATIONAL = re.compile(r"\\(?:sqrt|pi)(?![a-zA-Z])|[π√]")
_BOLD = re.compile(r"\*\*([^*\n]{1,80})\*\*")
_UNIT_MARK = r"""(?:\s*+(?:
    \\?%|\u00b0|\^\{?\\circ\}?|\\?\$|\\[,!;:\ ]|[)\]}*_"'`]
    |\\(?:text|mathrm|textbf|mbox)\s*+\{[^{}]*+\}(?:\^\{?[23]\}?)?
))*+"""
_UNIT_AFTER = re.compile(
    rf"{_UNIT_MARK}(?:\s++[^\W\d_]++){{0,4}}+{_UNIT_MARK}[\s.,!;]*+", re.VERBOSE
)


def whole_number(text: str) -> Numeral | None:
    """The number that a short text consists of, units aside; after its last `=`."""
    piece = text[-CLAUSE:].rpartition("=")[2].strip().strip("$*_`\"' ")
    sign = re.match(r"\\?\$?([-\u2212])\s+(?=[\d$.])", piece)
    if sign:
        piece = "-" + piece[sign.end() :]
    read = next(numerals(piece), None)
    if read is None or read.value is None:
        return None
    head = re.sub(r"\\?\$|\\text\{[^{}]*\}|[\s({\[*\"]", "", piece[: read.start])
    if head or not _UNIT_AFTER.fullmatch(piece, read.end):
        return None
    return read


def said_number(clause: str, linked: bool) -> tuple[bool, Numeral | None]:
    """Whether a clause after "answer" states a number, and the number if it can be read."""
    found = numerals(clause)
    read = next(found, None)
    if read is None:
        return False, None
    if not linked and re.search(r"\w", clause[: read.start]):
        return False, None
    if _OPERATOR.match(clause, read.end) or _IRRATIONAL.search(clause, 0, read.start):
        tail = clause.rpartition("=")[2]
        if tail == clause:
            return True, None
        read = next(numerals(tail), None)
        if read is None or _OPERATOR.match(tail, read.end):
            return True, None
    return True, read


def bold_number(text: str) -> Numeral | None:
    """The last number set in bold near the end; not one that numbers a list, `**2.**`."""
    closing = "\n".join(text.rstrip().split("\n")[-_CLOSING:])
    pieces = [found[1].strip() for found in _BOLD.finditer(closing[-TAIL:])]
    return last(
        read for p in pieces if not p.endswith((".", ":", ")")) and (read := whole_number(p))
    )
