"""From a row, whatever its fields are called, to an item."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ...compiler.errors import InputError
from ...compiler.names import nearest
from ...compiler.values import Json, Message
from .item import Item, Posed
from .row import Row

__all__ = ["OWN", "Shape", "shaped", "text_of"]

OWN = ("id", "question", "reference", "metric", "choices")
"""The fields of an item that a row may give."""

_MESSAGES = "messages"


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows become items: `fields` says what the row calls each field of an item; a value that
    holds braces is a template over the row's fields."""

    name: str
    fields: Mapping[str, str] = field(default_factory=dict)
    metric: str = ""

    def __post_init__(self) -> None:
        for name in self.fields:
            if not name.isidentifier():
                raise InputError(f"--field {name}: a field is a word; {nearest(name, OWN)}")


def shaped(rows: Iterable[Row], shape: Shape) -> Iterator[Item]:
    """The items of rows. Raises `InputError` with the row's place and what it lacks."""
    for number, row in enumerate(rows):
        yield _item(row, shape, number)


def _item(row: Row, shape: Shape, number: int) -> Item:
    taken = {name: _taken(row, shape.fields.get(name, name), name in shape.fields) for name in OWN}
    more = {name: _taken(row, path, True) for name, path in shape.fields.items() if name not in OWN}
    reference = taken["reference"]
    if reference is None and "answer" not in shape.fields and "answer" in row.fields:
        reference = row.fields["answer"]
    id = taken["id"]
    return Item(
        id=f"{shape.name}-{number:05}" if id is None else text_of(id),
        question=_question(row, taken["question"]),
        reference="" if reference is None else text_of(reference),
        metric=text_of(taken["metric"]) if taken["metric"] is not None else shape.metric,
        choices=_choices(row, taken["choices"]),
        fields=_rest(row, more),
    )


def _taken(row: Row, path: str, named: bool) -> Json:
    """The value at a path of the row, or a template filled in; None where the row has none."""
    if "{" in path:
        return _filled(path, row)
    value = row.get(path)
    if value is None and named:
        raise InputError(f"{row.where}: no field {path!r}; {nearest(path, row.fields)}")
    return value


def _filled(template: str, row: Row) -> str:
    for name in row.fields:
        template = template.replace(f"{{{name}}}", text_of(row.fields[name]))
    return template


def _question(row: Row, value: Json) -> Posed:
    if value is None:
        value = row.get(_MESSAGES)
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list | tuple) and value:
        return tuple(_message(turn, row) for turn in value)
    near = nearest("question", row.fields)
    raise InputError(f"{row.where}: no question; name its field with --field question=…; {near}")


def _message(turn: Json, row: Row) -> Message:
    match turn:
        case {"role": str(role), "content": str(content)}:
            return Message(role, content)
        case str():
            return Message("user", turn)
    raise InputError(f"{row.where}: a message has a role and a content, of text")


def _choices(row: Row, value: Json) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        value = value["text"]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, list | tuple):
        raise InputError(f"{row.where}: choices are a list")
    return tuple(text_of(choice) for choice in value)


def _rest(row: Row, more: Mapping[str, Json]) -> Mapping[str, Json]:
    """What is left of a row, `meta` laid open."""
    rest = {name: value for name, value in row.fields.items() if name not in (*OWN, "meta")}
    meta = row.fields.get("meta")
    return {**rest, **(meta if isinstance(meta, Mapping) else {}), **more}


def text_of(value: Json) -> str:
    """A value as text: JSON where it is no text itself."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, default=str)
