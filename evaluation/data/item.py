"""One question of a data set, with what its answer is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ...compiler.values import NOTHING, Json, Message

__all__ = ["Item", "Posed"]

Posed: TypeAlias = "str | tuple[Message, ...] | Mapping[str, Json]"
"""What a pipeline is asked: a text, a chat or a record."""


def _nothing() -> Mapping[str, Json]:
    return NOTHING


@dataclass(frozen=True, slots=True)
class Item:
    """A question and its reference, which is always a text: JSON where it is several.

    `metric` names what scores an answer to it, "" the data set's own. `fields` are the rest of the
    row: what slices are made by, and what metrics need beside the reference (tests of a program).
    """

    id: str
    question: Posed
    reference: str
    metric: str = ""
    choices: tuple[str, ...] = ()
    fields: Mapping[str, Json] = field(default_factory=_nothing)

    @property
    def text(self) -> str:
        """The question as a text: of a chat the last user message, of a record its fields."""
        if isinstance(self.question, str):
            return self.question
        if isinstance(self.question, Mapping):
            return "\n".join(f"{name}: {value}" for name, value in self.question.items())
        asked = [message.text for message in self.question if message.role == "user"]
        return asked[-1] if asked else ""
