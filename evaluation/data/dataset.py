"""Questions to evaluate on: in a fixed order, with distinct ids and a fingerprint."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from ...compiler.errors import InputError
from ...compiler.values import Json, Message
from .item import Item, Posed

__all__ = ["Dataset", "dataset"]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Items of one source. `metric` scores those that name none; `split` is the part they are of,
    "" for all of it. `fingerprint` is the SHA-256 of the items: equal data, equal fingerprint."""

    name: str
    items: tuple[Item, ...]
    metric: str
    fingerprint: str
    split: str = ""

    def __len__(self) -> int:
        return len(self.items)

    def but(self, items: Iterable[Item], split: str | None = None) -> Dataset:
        """The same source with other items."""
        return dataset(self.name, items, self.metric, self.split if split is None else split)


def dataset(name: str, items: Iterable[Item], metric: str = "", split: str = "") -> Dataset:
    """A data set of these items. Raises `InputError` where an id occurs twice."""
    kept = tuple(items)
    twice = [id for id, count in Counter(item.id for item in kept).items() if count > 1]
    if twice:
        raise InputError(f"{name}: the id {twice[0]!r} occurs more than once")
    return Dataset(name, kept, metric, _fingerprint(kept), split)


def _fingerprint(items: Iterable[Item]) -> str:
    told = sha256()
    for item in items:
        row = [item.id, _posed(item.question), item.reference, item.metric, list(item.choices)]
        line = json.dumps([*row, dict(item.fields)], sort_keys=True, default=str)
        told.update(line.encode("utf-8", "surrogatepass"))
    return told.hexdigest()


def _posed(question: Posed) -> Json:
    if isinstance(question, tuple):
        return [_turn(message) for message in question]
    return dict(question) if isinstance(question, Mapping) else question


def _turn(message: Message) -> Json:
    return [message.role, repr(message.content)]
