"""Calls of tools in a text that a model writes, read while it is written.

    call      = number "." tool "(" [argument {"," argument}] ")"
    argument  = [name ("=" | ":")] value
    value     = text | number | true | false | null | list | object | reference
    text      = "…" | '…' | a Python text in triple quotes; it may hold line ends and references
    list      = "[" [value {"," value}] "]"
    object    = "{" [text ":" value {"," text ":" value}] "}"

A call begins a line, or stands in square brackets; all else is prose. It is there as soon as its
last bracket is, however the text was cut. What is wrong in one call is told of that one alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ._references import Value, mixed

__all__ = ["Scanner", "Written"]

_NAME = r"(\d{1,6})[.):][ \t]*([A-Za-z_][\w.-]*)\("
_AT_LINE = re.compile(rf"^[ \t]*(?:[-*+][ \t]+)?{_NAME}", re.MULTILINE)
_IN_BRACKETS = re.compile(rf"\[[ \t]*{_NAME}")
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[A-Za-z_]\w*")
_KEY = re.compile(r"([A-Za-z_][\w-]*)\s*(?:=(?!=)|:)\s*")
_REFERENCE = re.compile(r"\$\{[^}]*\}")
_WORDS = {
    "true": True,
    "false": False,
    "null": None,
    "True": True,
    "False": False,
    "None": None,
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\", "/": "/"}
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Written:
    """A call as it was written, at `start` to `end` of the text. `wrong` says why it is none."""

    id: int
    tool: str
    given: tuple[Value, ...] = ()
    """Arguments without a name."""
    named: dict[str, Value] = field(default_factory=dict)
    wrong: str = ""
    start: int = 0
    end: int = 0


class Scanner:
    """Finds calls in a text that comes in parts."""

    def __init__(self, *, in_brackets: bool = False) -> None:
        """Calls begin lines, or stand in square brackets."""
        self.text = ""
        """All that has come."""
        self._head = _IN_BRACKETS if in_brackets else _AT_LINE
        self._mark = "[" if in_brackets else "\n"
        self._in_brackets = in_brackets
        self._at = 0
        self._open = False

    def feed(self, part: str) -> Iterator[Written]:
        """The calls that are there now and were not before."""
        self.text += part
        # A call that is open is looked at again only when it may have ended.
        if not self._open or ")" in part or "]" in part:
            yield from self._calls(ended=False)

    def end(self) -> Iterator[Written]:
        """Nothing more comes: the calls that were never closed, and those behind them."""
        yield from self._calls(ended=True)

    def _calls(self, ended: bool) -> Iterator[Written]:
        while (found := self._head.search(self.text, self._at)) is not None:
            id, tool = int(found[1]), found[2]
            reading = _Reading(self.text, found.end(), ended)
            try:
                given, named = reading.arguments()
                if self._in_brackets:
                    reading.expect("]")
            except _Unfinished:
                self._open = True
                self._at = found.start()
                return
            except ValueError as error:
                self._at = found.end()
                yield Written(id, tool, wrong=str(error), start=found.start(), end=found.end())
            else:
                self._at = reading.at
                yield Written(id, tool, given, named, "", found.start(), reading.at)
            self._open = False
        self._at = max(self._at, self.text.rfind(self._mark, self._at))


class _Unfinished(Exception):
    """What has come so far may go on rightly."""


class _Reading:
    """The arguments of one call, read from a text that may not be whole."""

    def __init__(self, text: str, at: int, ended: bool) -> None:
        self.at = at
        self._text = text
        self._ended = ended

    def arguments(self) -> tuple[tuple[Value, ...], dict[str, Value]]:
        """All of them, the closing bracket included. Raises `_Unfinished`, ValueError."""
        given: list[Value] = []
        named: dict[str, Value] = {}
        while self._peek() != ")":
            self._argument(given, named)
            if self._peek() == ",":
                self.at += 1
            elif self._peek() != ")":
                raise ValueError(f"expected , or ) before {self._next()}")
        self.at += 1
        return tuple(given), named

    def expect(self, mark: str) -> None:
        """Read a mark. Raises `_Unfinished`, ValueError."""
        if self._peek() != mark:
            raise ValueError(f"expected {mark} before {self._next()}")
        self.at += 1

    def _argument(self, given: list[Value], named: dict[str, Value]) -> None:
        key = _KEY.match(self._text, self.at)
        if key is None:
            self._whole_word()
            if named:
                raise ValueError("an argument without a name stands behind one with a name")
            given.append(self._value(_DEEPEST))
            return
        if key[1] in named:
            raise ValueError(f"argument {key[1]!r} is given twice")
        self.at = key.end()
        named[key[1]] = self._value(_DEEPEST)

    def _whole_word(self) -> None:
        """Wait for what comes after a word: it may be the name of an argument."""
        word = _WORD.match(self._text, self.at)
        if word is not None:
            after = _SPACE.match(self._text, word.end())
            assert after is not None
            self._need(after.end() + 1)

    def _value(self, depth: int) -> Value:
        first = self._peek()
        if not depth:
            raise ValueError("it is nested too deeply")
        if first in "\"'":
            return mixed(self._string())
        if first == "[":
            return self._list(depth)
        if first == "{":
            return self._object(depth)
        if first == "$":
            return self._reference()
        return self._plain()

    def _list(self, depth: int) -> Value:
        self.at += 1
        items: list[Value] = []
        while self._peek() != "]":
            items.append(self._value(depth - 1))
            self._comma("]")
        self.at += 1
        return items

    def _object(self, depth: int) -> Value:
        self.at += 1
        items: dict[str, Value] = {}
        while (first := self._peek()) != "}":
            if first not in "\"'":
                raise ValueError(f"expected a text as key before {self._next()}")
            key = self._string()
            self.expect(":")
            items[key] = self._value(depth - 1)
            self._comma("}")
        self.at += 1
        return items

    def _comma(self, close: str) -> None:
        if self._peek() == ",":
            self.at += 1
        elif self._peek() != close:
            raise ValueError(f"expected , or {close} before {self._next()}")

    def _reference(self) -> Value:
        self._need(self.at + 2)
        found = _REFERENCE.match(self._text, self.at)
        if found is None and self._text[self.at + 1] == "{":
            self._need(len(self._text) + 1)
        value = "" if found is None else mixed(found[0])
        if found is None or isinstance(value, str):
            raise ValueError("a reference is written ${1}; a text stands in quotes")
        self.at = found.end()
        return value.parts[0]

    def _plain(self) -> Value:
        found = _NUMBER.match(self._text, self.at) or _WORD.match(self._text, self.at)
        if found is None:
            raise ValueError(f"expected a value before {self._next()}")
        self._need(found.end() + 1)
        self.at = found.end()
        text = found[0]
        if text in _WORDS:
            return _WORDS[text]
        if text[0].isalpha() or text[0] == "_":
            raise ValueError(f"{text!r} is no value; a text stands in quotes")
        return int(text) if text.lstrip("-").isdigit() else float(text)

    def _string(self) -> str:
        """A text, what is escaped in it read; another backslash stays, for LaTeX and patterns."""
        text, quote = self._text, self._text[self.at]
        self._need(self.at + 2)
        if text[self.at + 1] == quote:
            self._need(self.at + 3)
            if text[self.at + 2] == quote:
                quote *= 3
            else:
                self.at += 2
                return ""
        self.at += len(quote)
        parts: list[str] = []
        while not text.startswith(quote, self.at):
            self._need(self.at + 2)
            if text[self.at] == "\\":
                parts.append(self._escaped())
            else:
                parts.append(text[self.at])
                self.at += 1
            if len(quote) == 3 and self.at < len(text) and text[self.at] == quote[0]:
                self._need(self.at + 3)
        self.at += len(quote)
        return "".join(parts)

    def _escaped(self) -> str:
        after = self._text[self.at + 1]
        if after in _ESCAPES:
            self.at += 2
            return _ESCAPES[after]
        if after == "u":
            self._need(self.at + 6)
            if (found := _HEX.match(self._text, self.at + 2)) is not None:
                self.at += 6
                return chr(int(found[0], 16))
        self.at += 2
        return f"\\{after}"

    def _peek(self) -> str:
        """The next character that is no space. Raises `_Unfinished`, ValueError at the end."""
        space = _SPACE.match(self._text, self.at)
        assert space is not None
        self.at = space.end()
        self._need(self.at + 1)
        return self._text[self.at]

    def _need(self, length: int) -> None:
        """Raise unless so much of the text is there."""
        if len(self._text) < length:
            if self._ended:
                raise ValueError("it is never closed")
            raise _Unfinished

    def _next(self) -> str:
        """What stands there: no more than has certainly come."""
        return repr(self._text[self.at])
