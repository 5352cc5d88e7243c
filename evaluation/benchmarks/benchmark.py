"""What a named benchmark says of itself, and how it is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from ...compiler.errors import InputError
from ..data.dataset import Dataset, dataset
from ..data.hub import hub_rows
from ..data.item import Item
from ..data.row import Row
from ..data.shaping import Shape, shaped
from ..data.split import DEV, TEST
from .shapes import SHAPES

__all__ = ["Benchmark", "Source"]


class Source(BaseModel):
    """Where the rows are on the Hugging Face hub: a data set with its configuration, or one file of
    its repository. `splits` names there what is `dev` and `test` here; one alone is parted by the
    hash of the ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hub: str
    config: str = ""
    file: str = ""
    splits: Mapping[str, str]

    @field_validator("splits")
    @classmethod
    def _are_parts(cls, splits: Mapping[str, str]) -> Mapping[str, str]:
        if not splits or not set(splits) <= {DEV, TEST}:
            raise ValueError("splits are dev and test")
        return splits


class Benchmark(BaseModel):
    """A benchmark: `rows` are the shapes that its rows are brought into, `fields` what an item
    takes from them, `prompt` how the question is asked, `answer` the kind that a pipeline should
    read, `baseline` the field with the answers that judged ones are held against."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    about: str
    paper: str
    licence: str
    source: Source
    fields: Mapping[str, str] = MappingProxyType({})
    rows: tuple[str, ...] = ()
    prompt: str = "{question}"
    answer: str | Mapping[str, Any]
    metric: str | Mapping[str, Any]
    needs: str = ""
    """What it takes beside the network, in words."""

    @field_validator("rows")
    @classmethod
    def _are_shapes(cls, rows: tuple[str, ...]) -> tuple[str, ...]:
        for name in rows:
            if name not in SHAPES:
                raise ValueError(f"no shape {name!r}")
        return rows

    def load(self, part: str | None, file: Path | None, fields: Mapping[str, str]) -> Dataset:
        """The items, out of `file` or from the hub; of one part, where the source has parts."""
        from ..data.loading import file_rows

        if file is not None:
            return self._made(file_rows(file), fields, "")
        splits = self.source.splits
        own = part if len(splits) > 1 and part is not None else ""
        name = splits[own] if own else splits.get(TEST, next(iter(splits.values())))
        source = self.source
        return self._made(hub_rows(source.hub, source.config, name, source.file), fields, own)

    def _made(self, rows: Iterator[Row], fields: Mapping[str, str], part: str) -> Dataset:
        shape = Shape(self.name, {**self.fields, **fields})
        items = (self._asked(item) for item in shaped(self._brought(rows), shape))
        named = self.metric if isinstance(self.metric, str) else json.dumps(dict(self.metric))
        return dataset(self.name, items, named, part)

    def _brought(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            brought = row
            for name in self.rows:
                try:
                    brought = Row(row.where, SHAPES[name](brought.fields))
                except (KeyError, TypeError, ValueError, IndexError) as error:
                    raise InputError(f"{row.where}: no row of {self.name}: {error!r}") from error
            yield brought

    def _asked(self, item: Item) -> Item:
        if not isinstance(item.question, str):
            return item
        listed = "\n".join(
            f"{letter}. {choice}"
            for letter, choice in zip(ascii_uppercase, item.choices, strict=False)
        )
        told = {"question": item.question, "choices": listed}
        asked = self.prompt
        for name, value in {**item.fields, **told}.items():
            if isinstance(value, str):
                asked = asked.replace(f"{{{name}}}", value)
        return replace(item, question=asked.strip("\n"))
