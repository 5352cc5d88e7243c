"""Values as text between a program and its tests: plain data alone, nothing that could act.

What a program returns is written in the program's own process and read in that of the tests. There
it is built anew out of Python's own types, so that no method of the program decides a comparison.
A subclass of a plain type comes out as the plain type.
"""

from __future__ import annotations

import sys
from _json import encode_basestring_ascii

TYPE_CHECKING = False  # `typing` takes longer to import than all else here
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

__all__ = ["Unsendable", "encoded"]

_LONGEST = 4 << 20
"""Characters of one value, at most."""

_ITEMS = 10_000
"""Items taken out of an iterator, at most."""

_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


class Unsendable(Exception):
    """A value that is no plain data, or too much of it."""


def encoded(value: object) -> str:
    """A value as JSON, every container with its kind in front.

    Raises `Unsendable`, and what iterating the value raises.
    """
    parts: list[str] = []
    try:
        _write(value, parts)
    except RecursionError:
        raise Unsendable("a value nested too deeply") from None
    text = "".join(parts)
    if len(text) > _LONGEST:
        raise _too_long()
    return text


def _write(value: object, parts: list[str]) -> None:
    if value is None:
        parts.append("null")
    elif value is True or value is False:
        parts.append("true" if value else "false")
    elif isinstance(value, str):
        parts.append(encode_basestring_ascii(value))
    elif isinstance(value, int):
        parts.append(f'["i","{int.__format__(value, "x")}"]')
    elif isinstance(value, float):
        parts.append(f'["f","{float.hex(value)}"]')
    elif isinstance(value, complex):
        parts.append(f'["c","{float.hex(value.real)}","{float.hex(value.imag)}"]')
    elif isinstance(value, bytes):
        parts.append(f'["b","{bytes.hex(value)}"]')
    elif isinstance(value, bytearray):
        parts.append(f'["a","{bytearray.hex(value)}"]')
    else:
        _write_all(*_opened(value), parts)


def _opened(value: object) -> tuple[str, Iterable[object]]:
    """The kind of a container, and what is in it."""
    if isinstance(value, list):
        return "l", list.__iter__(value)
    if isinstance(value, tuple):
        return "t", tuple.__iter__(value)
    if isinstance(value, dict):
        return "d", (part for item in dict.items(value) for part in item)
    if isinstance(value, set):
        return "s", set.__iter__(value)
    if isinstance(value, frozenset):
        return "z", frozenset.__iter__(value)
    if isinstance(value, range):
        return "r", (value.start, value.stop, value.step)
    return _opened_rare(value)


def _opened_rare(value: Any) -> tuple[str, Iterable[object]]:
    kind = type(value)
    # Their modules are looked up, not imported: a value of theirs means that they are there.
    if _is(kind, "collections", "deque"):
        return "q", iter(value)
    if _is(kind, "decimal", "Decimal"):
        return "D", (str(value),)
    if _is(kind, "fractions", "Fraction"):
        return "F", (value.numerator, value.denominator)
    if kind in _VIEWS:
        return "l", iter(value)
    if hasattr(kind, "__next__") and hasattr(kind, "__iter__"):
        return "n", _taken(value)
    raise Unsendable(f"a value of type {kind.__name__}, which is no plain data")


def _is(kind: type, module: str, name: str) -> bool:
    there = sys.modules.get(module)
    return there is not None and kind is getattr(there, name, None)


def _taken(items: Iterable[object]) -> Iterator[object]:
    for count, item in enumerate(items):
        if count == _ITEMS:
            raise Unsendable(f"an iterator of more than {_ITEMS:,} items")
        yield item


def _write_all(tag: str, items: Iterable[object], parts: list[str]) -> None:
    parts.append(f'["{tag}"')
    for item in items:
        parts.append(",")
        _write(item, parts)
        if len(parts) > _LONGEST:
            raise _too_long()
    parts.append("]")


def _too_long() -> Unsendable:
    return Unsendable(f"a value of more than {_LONGEST:,} characters")
