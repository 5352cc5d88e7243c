"""What an answer is, and what a kind of answer can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Answer", "AnswerKind"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a text answers. `text` is in canonical form; `kind` names how it was read.

    Hashing compares canonical texts. Two answers may be the same and differ there (`3/4`, `0.75`):
    ask the kind's `same` or `group`.
    """

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class AnswerKind(ABC):
    """A way to read an answer out of a text and to compare answers read so."""

    name: ClassVar[str]

    @abstractmethod
    def read(self, text: str) -> Answer | None:
        """The answer in a text, None where there is none or it cannot be read."""

    @abstractmethod
    def describe(self) -> str:
        """One line that asks a model for an answer of this kind."""

    def same(self, a: Answer, b: Answer) -> bool:
        """Whether two answers of this kind mean the same."""
        return self._key(a) == self._key(b)

    def group(self, answers: Sequence[Answer]) -> list[int]:
        """For each answer the index of the first one that is the same, in order."""
        first: dict[Hashable, int] = {}
        return [first.setdefault(self._key(answer), i) for i, answer in enumerate(answers)]

    def _key(self, answer: Answer) -> Hashable:
        """What equal answers have in common."""
        return answer.text

    def _answer(self, text: str) -> Answer | None:
        return Answer(text, self.name) if text else None
