"""JSON in which every value knows its place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..compiler.errors import Fault, InputError, Span, SpecError

__all__ = ["JsonText", "Path", "told"]

Path: TypeAlias = tuple[str | int, ...]

_TOKEN = re.compile(r'[ \t\r\n]*("(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+)')
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def told(path: Path) -> str:
    """A path as it is written: `layers[1][0].top_k`; `the file` for all of it."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".") or "the file"


@dataclass(frozen=True)
class JsonText:
    """A JSON file's value and the places of all that is in it.

    `parse` makes one. Raises `SpecError` with line and column for what is no JSON, for a key
    written twice, and for numbers and texts that JSON cannot hold.
    """

    file: str
    text: str
    value: Any
    places: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    """Where a value begins and how long its first token is, by its path."""

    @classmethod
    def parse(cls, text: str, file: str) -> JsonText:
        """Read it."""
        text = text.removeprefix("\ufeff")
        bare = cls(file, text, None)
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            fault = bare.fault_at("json", f"not JSON: {error.msg}", error.pos, 1)
            raise SpecError([fault]) from None
        except RecursionError as error:
            raise InputError(f"{file}: nested too deep") from error
        except ValueError as error:
            raise InputError(f"{file}: {error}") from error
        walk = _Walk(bare)
        try:
            walk.value(())
        except RecursionError as error:
            raise InputError(f"{file}: nested too deep") from error
        if walk.faults:
            raise SpecError(walk.faults)
        return cls(file, text, value, walk.places)

    def fault(self, path: Path, message: str, hint: str = "") -> Fault:
        """What is wrong with the value at a path, which the message begins with."""
        start, width = self.places[path]
        return self.fault_at("import", f"{told(path)}: {message}", start, width, hint)

    def fault_at(self, code: str, message: str, start: int, width: int, hint: str = "") -> Fault:
        """What is wrong at an offset into the text."""
        line = self.text.count("\n", 0, start) + 1
        begin = self.text.rfind("\n", 0, start) + 1
        row = self.text[begin:].partition("\n")[0].rstrip("\r")
        return Fault(code, message, Span(self.file, line, start - begin + 1, width, row), hint)


class _Walk:
    """Goes through a text that is known to be JSON, noting places."""

    def __init__(self, source: JsonText) -> None:
        self._source = source
        self._tokens = iter(_TOKEN.finditer(source.text))
        self.places: dict[Path, tuple[int, int]] = {}
        self.faults: list[Fault] = []

    def value(self, path: Path) -> None:
        """The next value."""
        self._begun(path, *self._next())

    def _begun(self, path: Path, token: str, start: int) -> None:
        self.places[path] = (start, len(token))
        if token == "{":
            self._members(path)
        elif token == "[":
            self._items(path)
        elif token in ("NaN", "Infinity", "-Infinity"):
            self._fault(f"not JSON: {token}", start, len(token))
        elif token[0] == '"':
            self._text(token, start)

    def _members(self, path: Path) -> None:
        seen: set[str] = set()
        while True:
            token, start = self._next()
            if token == "}":
                return
            if token == ",":
                continue
            key = self._text(token, start)
            if key in seen:
                self._fault(f"{told((*path, key))}: written twice", start, len(token))
            seen.add(key)
            self._next()  # the colon
            self.value((*path, key))

    def _items(self, path: Path) -> None:
        count = 0
        while True:
            token, start = self._next()
            if token == "]":
                return
            if token != ",":
                self._begun((*path, count), token, start)
                count += 1

    def _text(self, token: str, start: int) -> str:
        text: str = json.loads(token)
        if _SURROGATE.search(token):
            try:
                text.encode()
            except UnicodeEncodeError:
                self._fault("half of a surrogate pair, which is no text", start, len(token))
        return text

    def _fault(self, message: str, start: int, width: int) -> None:
        self.faults.append(self._source.fault_at("json", message, start, width))

    def _next(self) -> tuple[str, int]:
        found = next(self._tokens)
        return found[1], found.start(1)
