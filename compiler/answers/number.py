"""A number, compared by value."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from .kind import Answer, AnswerKind
from .marks import MARKS_TRIED, clauses, last_box
from .numeral import Numeral, last_numeral
from .plain_latex import plain_latex
from .stated import bold_number, said_number, whole_number

__all__ = ["Number"]

_DIGIT = re.compile(r"\d")
_HASHES = re.compile(r"^[ \t]*+\#{4}[ \t]*+(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Number(AnswerKind):
    """The last number of a text, one that is marked as the answer first.

    Exact: fractions, mixed numbers, powers of ten, `1,000` and "5 million" keep their value. A
    per cent sign, a currency and a unit are dropped. `1.2.3`, `10:30`, `1,50`, `5k` or `2π` are
    not read, since their value would be a guess.
    """

    name: ClassVar[str] = "number"

    def read(self, text: str) -> Answer | None:
        """The number, as a canonical decimal (`1.5`) or, where written so, a fraction (`3/4`)."""
        if not _DIGIT.search(text):
            return None
        text = plain_latex(text)
        marked, read = self._marked(text)
        if not marked:
            read = bold_number(text) or last_numeral(text)
        return None if read is None or read.value is None else self._answer(read.shown)

    def describe(self) -> str:
        """Ask for a number."""
        return "End with the answer as a number, on a line of its own: Answer: <number>."

    def _marked(self, text: str) -> tuple[bool, Numeral | None]:
        """Whether the text marks an answer, and the number of the last mark."""
        place = -1
        read: Numeral | None = None
        if box := last_box(text):
            place, read = box[0], whole_number(box[1])
        for line in list(_HASHES.finditer(text))[-MARKS_TRIED:]:
            if line.start() > place and (number := whole_number(line[1])):
                place, read = line.start(), number
        for start, linked, clause in clauses(text):
            if start < place:
                break
            said, number = said_number(clause, linked)
            if said:
                place, read = start, number
                break
        return place >= 0, read

    def _key(self, answer: Answer) -> Hashable:
        return Fraction(answer.text)
