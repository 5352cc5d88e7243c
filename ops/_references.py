"""References to the results of earlier calls: `${1}`, `${1.price}`, `${2.items[0].name}`.

They are found once, in what a model wrote, and never in what a tool gave. `${` stands for a
reference only before a digit; `$${` writes `${`. A value that is one reference alone takes the
result as it is, a number or a list, say; one in quotes does so, too, if the tool takes that, and
else takes it as a text; inside a longer text, the result is put in as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..compiler.values import Json

__all__ = [
    "Mixed",
    "NoSuchPart",
    "Reference",
    "Results",
    "Value",
    "as_text",
    "filled",
    "mixed",
    "needs",
]

_PART = r"\.[A-Za-z_][\w-]*|\[-?\d+\]|\[\"[^\"\]]*\"\]|\['[^'\]]*'\]"
_MARK = re.compile(rf"\$\$\{{|\$\{{\s*(?:(?P<call>\d+)(?P<path>(?:{_PART})*)\s*\}}|(?=\d))")
_PARTS = re.compile(r"\.([A-Za-z_][\w-]*)|\[(-?\d+)\]|\[[\"']([^\"'\]]*)[\"']\]")


class NoSuchPart(ValueError):
    """A reference to what a result does not hold."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The result of a call, or what stands in it at a path of names and places."""

    call: int
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return f"${{{self.call}{''.join(map(_written, self.path))}}}"

    def of(self, result: Json) -> Json:
        """What it stands for. Raises `NoSuchPart`."""
        value = result
        for part in self.path:
            value = self._step(value, part)
        return value

    def _step(self, value: Json, part: str | int) -> Json:
        if isinstance(part, str) and isinstance(value, Mapping):
            if part in value:
                return value[part]
            known = ", ".join(list(map(str, value))[:8]) or "none"
            raise NoSuchPart(f"{self}: there is no field {part!r}; there are: {known}")
        if isinstance(part, int) and isinstance(value, Sequence) and not isinstance(value, str):
            if -len(value) <= part < len(value):
                return value[part]
            raise NoSuchPart(f"{self}: there is no place {part} among {len(value)}")
        what = "field" if isinstance(part, str) else "place"
        raise NoSuchPart(f"{self}: {_kind(value)} has no {what} {part!r}")


@dataclass(frozen=True, slots=True)
class Mixed:
    """A text with references in it, or one reference in quotes."""

    parts: tuple[str | Reference, ...]


Value: TypeAlias = "Json | Reference | Mixed | list[Value] | dict[str, Value]"
"""A value as a plan holds it: JSON with references in it."""

Results: TypeAlias = Mapping[int, Json]
"""What calls gave, by their numbers."""


def mixed(text: str) -> str | Mixed:
    """A text as a model wrote it, its references found. Raises ValueError for what begins like one
    and is none."""
    parts: list[str | Reference] = []
    end = 0
    for found in _MARK.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        if found[0] == "$${":
            parts.append("${")
        elif found["call"] is None:
            told = text[found.start() : found.start() + 20]
            raise ValueError(f"{told!r} is no reference; $${{ writes ${{")
        else:
            parts.append(Reference(int(found["call"]), tuple(_path(found["path"]))))
    parts.append(text[end:])
    kept: list[str | Reference] = []
    for part in parts:
        if isinstance(part, str) and kept and isinstance(kept[-1], str):
            kept[-1] += part
        elif part != "":
            kept.append(part)
    if not kept or (len(kept) == 1 and isinstance(kept[0], str)):
        return "".join(map(str, kept))
    return Mixed(tuple(kept))


def needs(value: Value) -> Iterator[Reference]:
    """The references in a value, in the order written."""
    match value:
        case Reference():
            yield value
        case Mixed(parts=parts):
            yield from (part for part in parts if isinstance(part, Reference))
        case dict():
            for inner in value.values():
                yield from needs(inner)
        case list():
            for inner in value:
                yield from needs(inner)


def filled(value: Value, results: Results, *, quoted: bool = False) -> Json:
    """A value with results in place of references; `quoted`: as texts where quotes stand around
    them. Raises `NoSuchPart`."""
    match value:
        case Reference():
            return value.of(results[value.call])
        case Mixed(parts=(Reference() as sole,)) if not quoted:
            return sole.of(results[sole.call])
        case Mixed(parts=parts):
            return "".join(
                part if isinstance(part, str) else as_text(part.of(results[part.call]))
                for part in parts
            )
        case dict():
            return {k: filled(inner, results, quoted=quoted) for k, inner in value.items()}
        case list():
            return [filled(inner, results, quoted=quoted) for inner in value]
    return value


def as_text(value: Json) -> str:
    """A value inside a text: texts as they are, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=dict)


def _path(written: str) -> Iterator[str | int]:
    for name, place, key in _PARTS.findall(written):
        yield int(place) if place else name or key


def _written(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part}" if re.fullmatch(r"[A-Za-z_][\w-]*", part) else f"[{part!r}]"


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a truth value"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case Mapping():
            return "an object"
    return "a list"
