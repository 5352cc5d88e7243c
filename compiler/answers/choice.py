"""One of a few options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from .kind import Answer, AnswerKind
from .marks import CLAUSE, last_box
from .option_patterns import OptionPatterns, option_patterns

__all__ = ["Choice"]

_ARTICLE_NEXT = frozenset(
    ["and", "as", "because", "but", "due", "for", "given", "since", "so", "where", "which", "with"]
)


@dataclass(frozen=True, slots=True)
class Choice(AnswerKind):
    """One of a few options: letters, A to J unless given, or words.

    Reads what follows "answer", a box, a line of the option alone, or one label that opens the
    text. An option that only occurs in a sentence is not read, nor the article "A".
    """

    name: ClassVar[str] = "choice"

    options: tuple[str, ...] = tuple("ABCDEFGHIJ")
    _by_fold: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _patterns: OptionPatterns = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_fold = {" ".join(option.split()).casefold(): option for option in self.options}
        if len(by_fold) != len(self.options) or len(self.options) < 2 or "" in by_fold:
            raise ValueError("choice needs two or more options that differ, none of them empty")
        words = [" ".join(option.split()) for option in self.options]
        object.__setattr__(self, "_by_fold", by_fold)
        object.__setattr__(self, "_patterns", option_patterns(words))

    def read(self, text: str) -> Answer | None:
        """The option as it was declared."""
        said, option = self._said(text)
        if not said:
            option = self._labelled(text)
        return None if option is None else self._answer(option)

    def describe(self) -> str:
        """Ask for one of the options."""
        return f"End with the answer as one of {', '.join(self.options)}: Answer: <option>."

    def _said(self, text: str) -> tuple[bool, str | None]:
        """Whether a mark names an option, and the one that the last mark names; None if several."""
        place = -1
        option: str | None = None
        if box := last_box(text):
            inner = re.sub(
                r"\\(?:text|textbf|mathrm|mathbf)\s*\{([^{}]*)\}", r"\1", box[1][:CLAUSE]
            )
            label = self._patterns.label.match(inner.strip())
            if label and (label["close"] or label.end() == len(inner.strip())):
                place, option = box[0], self._declared(label)
            else:
                place = box[0]
        for pattern in (self._patterns.mark, self._patterns.verdict):
            for found in pattern.finditer(text):
                if found.start() >= place and not self._is_article(found):
                    several = self._patterns.also.match(text, found.end("option"))
                    place, option = found.start(), None if several else self._declared(found)
        return place >= 0, option

    def _labelled(self, text: str) -> str | None:
        """The option that stands alone on the last line, or labels the text."""
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        if not lines:
            return None
        last = self._patterns.label.fullmatch(lines[-1][:CLAUSE])
        if last:
            return self._declared(last)
        opening = {self._opens(line) for line in lines} - {None}
        if len(opening) == 1 and self._opens(lines[0]) is not None:
            return opening.pop()
        wrapped = {self._declared(found) for found in self._patterns.wrapped.finditer(lines[-1])}
        return wrapped.pop() if len(wrapped) == 1 else None

    def _opens(self, line: str) -> str | None:
        """The option that a line begins with, set off as a label."""
        found = self._patterns.label.match(line)
        if found is None:
            return None
        alone = found.end() == len(line)
        # After a letter a comma belongs to a list or a sentence: "A, B and C".
        marks = ")].:;!*" if len(found["option"]) == 1 else ")].:;!*,"
        set_off = any(c in marks for c in found["close"])
        return self._declared(found) if alone or set_off else None

    def _declared(self, found: re.Match[str]) -> str:
        return self._by_fold[" ".join(found["option"].split()).casefold()]

    @staticmethod
    def _is_article(found: re.Match[str]) -> bool:
        """Whether an A (or I) is a word of the sentence: "the answer is a train"."""
        if found["option"] not in ("A", "a", "I", "i") or not found.re.groupindex.get("next"):
            return False
        word = (found["next"] or "").strip()
        if not word or found["close"]:
            return False
        return found["option"].islower() or word.casefold() not in _ARTICLE_NEXT
