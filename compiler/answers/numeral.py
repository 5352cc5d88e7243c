"""Numbers as they are written in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from .last import TAIL, last
from .rational import exact_value, number_text

__all__ = ["Numeral", "last_numeral", "numerals"]

_SCALES: Final = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_NUMBER = re.compile(
    r"""
    (?P<word>[^\W\d_]\w*+(?:\.\w++)*+)                       # v1.2, x2, H2O are words
    | (?P<lead>(?:(?<![\w)\]}])[-+\u2212\u2013])?)
      (?P<money>(?:\\?\$|[€£¥])?)
      (?P<inner>(?<=[$€£¥])[-\u2212])?
      (?:(?P<whole>\d{1,9})[ ](?=\d{1,9}/\d))?
      (?P<digits>\d++(?:[.,:/]\d++)*+|(?<![\w.])\.\d++)
      (?P<power>[eE][-+]?\d{1,9}(?!\w))?
      (?:[ ]/[ ](?P<under>\d++)(?![.,:/]?\d))?
      (?P<unit>[^\W_]*+)
    """,
    re.VERBOSE,
)
_SCALE = re.compile(r"[ \t]?(hundred|thousand|million|billion|trillion)\b", re.IGNORECASE)
_ORDINAL = re.compile(r"(?:st|nd|rd|th)", re.IGNORECASE)
_VARIABLE = frozenset("kKMBxyznabcπei")
_RAISED = re.compile(r"(?:\^[{(]?|_\{|\}\{|(?:frac|sqrt|\])\{|[\d)]\*\*)$")


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number as written; None as value of what cannot be read (`1.2.3`, `10:30`)."""

    value: Fraction | None
    shown: str
    start: int
    end: int


def numerals(text: str) -> Iterator[Numeral]:
    """What is written as a number in a text, in order."""
    return map(_numeral, _written(text))


def last_numeral(text: str) -> Numeral | None:
    """The last that is written as a number in a text."""
    # The end first: no number reaches over a line break, and a long text holds many.
    cut = text.find("\n", max(0, len(text) - TAIL)) if len(text) > TAIL else -1
    found = last(_written(text[cut + 1 :])) or (last(_written(text)) if cut >= 0 else None)
    return None if found is None else _numeral(found)


def _written(text: str) -> Iterator[re.Match[str]]:
    """The matches of what is written as a number, whether or not it can be read."""
    return (
        found
        for found in _NUMBER.finditer(text)
        if found["word"] is None and not _ORDINAL.fullmatch(found["unit"])
    )


def _numeral(found: re.Match[str]) -> Numeral:
    end = found.end("under") if found["under"] else found.end("power")
    if end < 0:
        end = found.end("digits")
    nothing = Numeral(None, "", found.start(), found.end())
    text, unit = found.string, found["unit"]
    if _RAISED.search(text[max(0, found.start() - 6) : found.start()]):
        return nothing
    if unit in _VARIABLE or any(c.isdigit() for c in unit):
        return nothing
    parsed = exact_value(found)
    if parsed is None:
        return nothing
    value, is_ratio = parsed
    if scale := _SCALE.match(text, found.start("unit") if unit else end):
        value *= _SCALES[scale[1].lower()]
        end = scale.end()
    if found["lead"] not in ("", "+") or found["inner"]:
        value = -value
    return Numeral(value, number_text(value, is_ratio), found.start(), max(end, found.end("unit")))
