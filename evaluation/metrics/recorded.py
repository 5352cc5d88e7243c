"""The label that a folder of recordings gives a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ...compiler.answers import Answer
from ...compiler.errors import InputError
from ..data.item import Item
from ..data.jsonl import rows
from ..data.row import Row
from .score import Score

__all__ = ["Recorded"]

_SAMPLES = ("samples.jsonl.gz", "samples.jsonl")


@dataclass(frozen=True, eq=False)
class Recorded:
    """1 for a text that its recording calls right in the field `label`.

    `of` is the folder, `text` the field that the replayed text came from. Raises `InputError` for a
    text that was not recorded: nothing is known of it.
    """

    name: ClassVar[str] = "recorded"

    of: str = ""
    label: str = "correct"
    text: str = "text"
    _labels: dict[tuple[str, str], bool] = field(default_factory=dict, init=False, repr=False)

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """The recorded label."""
        if not self._labels:
            self._labels.update(self._read())
        right = self._labels.get((item.id, text))
        if right is None:
            raise InputError(f"{self.of} holds no such text for item {item.id!r}")
        return Score(float(right), parsed=answer is not None)

    def _read(self) -> Mapping[tuple[str, str], bool]:
        found: dict[tuple[str, str], bool] = {}
        path = next((Path(self.of) / n for n in _SAMPLES if (Path(self.of) / n).is_file()), None)
        if path is None:
            raise InputError(f"{self.of or 'the metric'}: no folder with {' or '.join(_SAMPLES)}")
        for row in rows(path):
            key = (str(row.fields.get("item")), _shown(row, self.text))
            right = row.get(self.label)
            if not isinstance(right, bool):
                raise InputError(f"{row.where}: no label {self.label!r}")
            if found.setdefault(key, right) != right:
                raise InputError(f"{row.where}: the same text has two labels")
        return found


def _shown(row: Row, name: str) -> str:
    value = row.get(name)
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
