"""The whole text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .kind import Answer, AnswerKind

__all__ = ["Text"]


@dataclass(frozen=True, slots=True)
class Text(AnswerKind):
    """The whole text: without the white space around it, unless that counts."""

    name: ClassVar[str] = "text"

    spaced: bool = False
    """Whether texts differ that differ in the white space around them."""

    def read(self, text: str) -> Answer | None:
        """The text; None where there is nothing but white space."""
        stripped = text.strip()
        return self._answer(text if self.spaced and stripped else stripped)

    def describe(self) -> str:
        """Ask for nothing in particular."""
        return "Reply with the answer."
