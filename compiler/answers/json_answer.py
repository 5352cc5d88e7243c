"""JSON, or one field of it, compared by value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .json_text import compact, first_json
from .kind import Answer, AnswerKind

__all__ = ["JsonAnswer"]


@dataclass(frozen=True, slots=True)
class JsonAnswer(AnswerKind):
    """The first JSON object or array of a text, or one field of the object; compared by value."""

    name: ClassVar[str] = "json"

    field: str = ""

    def read(self, text: str) -> Answer | None:
        """Compact JSON with sorted keys; a field that is a string stands without quotes."""
        try:
            value = first_json(text)
            if self.field:
                value = value.get(self.field) if isinstance(value, dict) else None
            if value is None or isinstance(value, str):
                return self._answer((value or "").strip())
            return self._answer(compact(value))
        except (ValueError, RecursionError):
            return None

    def describe(self) -> str:
        """Ask for JSON."""
        if self.field:
            return f'End with a JSON object whose field "{self.field}" is the answer.'
        return "End with the answer as JSON."
