"""A row of a data file, with its place for messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...compiler.values import Json

__all__ = ["Row"]


class Row(NamedTuple):
    """The fields of a row, and where it stands."""

    where: str
    fields: Mapping[str, Json]

    def get(self, path: str) -> Json:
        """A field by its name, or one inside others by names with dots; None if there is none."""
        if path in self.fields:
            return self.fields[path]
        value: Json = self.fields
        for name in path.split("."):
            if isinstance(value, Mapping):
                value = value.get(name)
            elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
                value = value[int(name)]
            else:
                return None
        return value
