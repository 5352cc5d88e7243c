"""A short text, compared as text."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar, Final

from .kind import Answer, AnswerKind
from .last import last

__all__ = ["Exact"]

_COLON_MARK = re.compile(r"\banswer\b[\"'*_`]*+[ \t]*+[:=][ \t\"'*_`]*+", re.IGNORECASE)
# The closing half of what opened before the mark: `**Answer: x**`, `{"answer": "x"}`.
_LOOSE = re.compile(r"([\"`*_]+)\s*[,}\]]*\s*$")
_QUOTES: Final = ("**", "__", "`", '"', "'", "*", "_")


@dataclass(frozen=True, slots=True)
class Exact(AnswerKind):
    """What follows the last `answer:`, else the last line; compared as text.

    With `case: fold` upper and lower case are the same.
    """

    name: ClassVar[str] = "exact"

    fold: bool = False

    def read(self, text: str) -> Answer | None:
        """The answer with its white space collapsed and paired quotes or asterisks removed."""
        mark = last(_COLON_MARK.finditer(text))
        if mark is None:
            line = _last_line(text)
        else:
            line = text[mark.end() :].lstrip().split("\n", 1)[0]
            loose = _LOOSE.search(line, max(0, len(line) - 20))
            if loose and line.count(loose[1]) == 1:
                line = line[: loose.start()]
        return self._answer(_unquoted(" ".join(line.split())))

    def describe(self) -> str:
        """Ask for a short answer."""
        return "End with the answer on a line of its own: Answer: <answer>."

    def _key(self, answer: Answer) -> Hashable:
        return answer.text.casefold() if self.fold else answer.text


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2].strip()


def _unquoted(text: str) -> str:
    for mark in _QUOTES:
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            return text[len(mark) : -len(mark)].strip()
    return "" if text in _QUOTES else text
