"""What a pattern matches."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar, Final

from .kind import Answer, AnswerKind
from .last import last

__all__ = ["Regex"]

_PATTERN: Final = 500
_SEARCHED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Regex(AnswerKind):
    """What the one group of a pattern matches, last match first.

    Only the last 20,000 characters are searched. That bounds a sound pattern; it cannot bound one
    that backtracks without end (`(a+)+$`), so a pattern is as trusted as the file it stands in.
    Raises ValueError for a pattern that cannot be used.
    """

    name: ClassVar[str] = "regex"

    pattern: str
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.pattern) > _PATTERN:
            raise ValueError(f"the pattern is longer than {_PATTERN} characters")
        try:
            compiled = re.compile(self.pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"the pattern cannot be compiled: {error}") from error
        if compiled.groups != 1:
            raise ValueError(f"the pattern needs exactly one group, it has {compiled.groups}")
        object.__setattr__(self, "_compiled", compiled)

    def read(self, text: str) -> Answer | None:
        """The group of the last match, stripped."""
        found = last(self._compiled.finditer(text[-_SEARCHED:]))
        return None if found is None else self._answer((found[1] or "").strip())

    def describe(self) -> str:
        """Ask for a text of the pattern's form."""
        return f"End with the answer in the form of this regular expression: {self.pattern}"
