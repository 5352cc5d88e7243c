"""The whole text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .kind import Answer, AnswerKind

__all__ = ["Text"]


@dataclass(frozen=True, slots=True)
class Text(AnswerKind):
    """The whole text, stripped."""

    name: ClassVar[str] = "text"

    def read(self, text: str) -> Answer | None:
        """The text without the white space around it."""
        return self._answer(text.strip())

    def describe(self) -> str:
        """Ask for nothing in particular."""
        return "Reply with the answer."
