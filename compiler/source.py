"""YAML text to a tree in which every value knows its place.

The rules are those of YAML 1.2: `true` and `false` are the only booleans, so `no` and `on` stay
words; `1e-3` is a number; dates stay strings. `60_000` is a number as well. Keys are strings.
Tags that would construct something, merge keys and several documents are refused, and everything
is bounded (size, depth, nodes, aliases), so that no file can hang or exhaust the reader.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import yaml
from yaml import AliasEvent, MappingEndEvent, ScalarEvent, SequenceEndEvent

from .errors import Fault, Span, SpecError
from .names import nearest

__all__ = ["Document", "Entry", "Located", "Plain", "Scalar", "parse", "read"]

Scalar: TypeAlias = "bool | int | float | str | None"
Plain: TypeAlias = "Scalar | list[Plain] | dict[str, Plain]"

_BYTES: Final = 1 << 20
_DEPTH: Final = 64
_NODES: Final = 200_000
_ALIASES: Final = 100
_FAULTS: Final = 50
_DIGITS: Final = 400

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_INT = re.compile(r"[-+]?[0-9][0-9_]*")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
_CORE = "tag:yaml.org,2002:"
_TAGS: Final = ("bool", "float", "int", "map", "null", "seq", "str")


@dataclass(frozen=True, slots=True)
class Entry:
    """A value of a mapping, with the place of its key."""

    key_span: Span
    node: Located


@dataclass(frozen=True, slots=True)
class Located:
    """A value and where it stands.

    `end` is the line and column just past it, counted from 1. Where an alias stands, the span is
    the alias's and the parts inside keep the places where they were written.
    """

    value: Scalar | tuple[Located, ...] | dict[str, Entry]
    span: Span
    end: tuple[int, int]

    def plain(self) -> Plain:
        """The value without places; a fresh copy."""
        if isinstance(self.value, dict):
            return {key: entry.node.plain() for key, entry in self.value.items()}
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        return self.value


@dataclass(frozen=True, slots=True)
class Document:
    """A file that has been read: its text and its tree."""

    file: str
    text: str
    root: Located

    def plain(self) -> Plain:
        """The whole tree without places; a fresh copy."""
        return self.root.plain()

    def node(self, path: Sequence[str | int]) -> Located | None:
        """The value at a path such as `("steps", "drafts", "n")`, None where there is none."""
        found = self._walk(path)
        return found[-1].node if len(found) == len(path) + 1 else None

    def span(self, path: Sequence[str | int], key: bool = False) -> Span:
        """The place of the value at a path, or of its key; of the nearest ancestor that exists
        where the path leads nowhere."""
        found = self._walk(path)
        last = found[-1]
        return last.key_span if key and len(found) == len(path) + 1 else last.node.span

    def inside(self, path: Sequence[str | int], piece: str, nth: int = 0) -> Span:
        """The place of the nth `piece` within the text of the value at a path, such as a variable
        in a prompt; the place of the value where it is not written out like that."""
        node = self.node(path)
        if node is None or not piece:
            return self.span(path)
        lines = _BREAK.split(self.text)
        first, last = node.span.line, node.end[0]
        for number in range(first, last + 1):
            line = lines[number - 1] if number <= len(lines) else ""
            column = node.span.column - 1 if number == first else 0
            stop = node.end[1] - 1 if number == last else len(line)
            while (column := line.find(piece, column, stop)) >= 0:
                if nth == 0:
                    return Span(self.file, number, column + 1, len(piece), line)
                nth -= 1
                column += len(piece)
        return node.span

    def _walk(self, path: Sequence[str | int]) -> list[Entry]:
        """The entries along a path, root first, as far as it exists."""
        found = [Entry(self.root.span, self.root)]
        for part in path:
            value = found[-1].node.value
            if isinstance(value, dict) and isinstance(part, str) and part in value:
                found.append(value[part])
            elif isinstance(value, tuple) and isinstance(part, int) and 0 <= part < len(value):
                found.append(Entry(value[part].span, value[part]))
            else:
                break
        return found


def read(path: Path) -> Document:
    """Read a pipeline file.

    Raises SpecError with all that is wrong with it, a missing or unreadable file included.
    """
    file = str(path)
    try:
        if not path.exists():
            folder = path.parent
            names = [p.name for p in folder.iterdir() if p.is_file()] if folder.is_dir() else []
            hint = nearest(path.name, names) if folder.is_dir() else f"no folder {folder}"
            raise _refusal(file, "file-missing", f"no file {file}", hint)
        if not path.is_file():
            raise _refusal(file, "file-unreadable", f"{file} is not a regular file")
        with path.open("rb") as opened:
            raw = opened.read(_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refusal(file, "file-unreadable", f"cannot read {file!r}: {reason}") from error
    if len(raw) > _BYTES:
        raise _too_large(file)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = _BREAK.split(raw[: error.start].decode("utf-8"))
        line = _BREAK.split(raw.decode("utf-8", "replace"))[len(before) - 1]
        span = Span(file, len(before), len(before[-1]) + 1, 1, line)
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise SpecError([Fault("yaml-encoding", message, span, "save the file as UTF-8")]) from None
    return parse(text, file)


def parse(text: str, file: str = "<text>") -> Document:
    """Read a pipeline from its text. Raises SpecError with all that is wrong with it."""
    if len(text) > _BYTES:
        raise _too_large(file)
    # Not left to libyaml, which would count the mark as a column.
    text = text.removeprefix("\ufeff")
    lines = _BREAK.split(text)
    if strange := list(_strange(file, lines)):
        raise SpecError(strange)
    return Document(file, text, _Composer(file, text, lines).document())


def _refusal(file: str, code: str, message: str, hint: str = "") -> SpecError:
    return SpecError([Fault(code, message, Span(file, 1, 1), hint)])


def _too_large(file: str) -> SpecError:
    return _refusal(file, "yaml-size", f"the file is larger than {_BYTES >> 20} MiB")


def _strange(file: str, lines: Sequence[str]) -> Iterator[Fault]:
    left = _FAULTS
    for number, line in enumerate(lines, 1):
        for found in _UNPRINTABLE.finditer(line):
            span = Span(file, number, found.start() + 1, 1, line)
            message = f"character U+{ord(found[0]):04X} is not allowed in YAML"
            yield Fault("yaml-character", message, span, 'write it as an escape in "quotes"')
            left -= 1
            if left == 0:
                return


_Collection: TypeAlias = "yaml.MappingStartEvent | yaml.SequenceStartEvent"


def _marks(event: yaml.Event) -> tuple[int, int, int, int]:
    """First line and column, last line and the column after it, counted from 0."""
    start, end = event.start_mark, event.end_mark
    assert start is not None
    assert end is not None
    return start.line, start.column, end.line, end.column


@dataclass(frozen=True, slots=True)
class _Anchor:
    node: Located
    size: int
    height: int


class _BadScalar(ValueError):
    """A scalar that its tag or its length forbids."""


class _Composer:
    """Builds the tree from libyaml's events in one pass.

    Not from composed nodes: the bounds must hold before anything recursive or exponential is
    built, and a syntax error must not hide the faults before it.
    """

    def __init__(self, file: str, text: str, lines: list[str]) -> None:
        self._file = file
        self._lines = lines
        self._faults: list[Fault] = []
        self._anchors: dict[str, _Anchor] = {}
        self._open: set[str] = set()
        self._nodes = 0
        self._aliases = 0
        self._reached = 0
        loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=loader)

    def document(self) -> Located:
        """The root of the only document. Raises SpecError with every fault found."""
        try:
            root = self._only_document()
        except yaml.MarkedYAMLError as error:
            self._faults.extend(self._syntax(error))
        except yaml.YAMLError as error:
            self._faults.append(Fault("yaml-syntax", str(error), self._spot(0, 0)))
        else:
            if not self._faults:
                return root
        raise SpecError(self._faults)

    def _only_document(self) -> Located:
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent) or self._is_nothing(event):
            self._stop("yaml-empty", "the file holds nothing", self._spot(0, 0))
        root = self._node(event, 1)
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            line, column, _, _ = _marks(event)
            span = self._spot(line, column, 3)
            self._stop("yaml-documents", "a second document begins here", span, "one per file")
        return root

    @staticmethod
    def _is_nothing(event: yaml.Event) -> bool:
        return isinstance(event, yaml.ScalarEvent) and not (
            event.value or event.style or event.tag or event.anchor
        )

    def _node(self, event: yaml.Event, depth: int) -> Located:
        if type(event) is AliasEvent:
            return self._alias(event, depth)
        assert isinstance(event, yaml.NodeEvent)
        self._nodes += 1
        if self._nodes > _NODES:
            self._too_many(event)
        if depth > _DEPTH:
            self._too_deep(event)
        name = event.anchor
        if name is None:
            self._reached = max(self._reached, depth)
            if type(event) is ScalarEvent:
                return self._scalar(event)
            return self._content(event, depth)
        if name in self._anchors or name in self._open:
            self._fault("yaml-alias", f'anchor "{name}" is set twice', self._token(event))
        outer, self._reached = self._reached, depth
        before = self._nodes
        self._open.add(name)
        node = self._content(event, depth)
        self._open.discard(name)
        self._anchors[name] = _Anchor(node, self._nodes - before + 1, self._reached - depth)
        self._reached = max(outer, self._reached)
        return node

    def _content(self, event: yaml.NodeEvent, depth: int) -> Located:
        if type(event) is ScalarEvent:
            return self._scalar(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, depth)
        assert isinstance(event, yaml.SequenceStartEvent)
        return self._sequence(event, depth)

    def _alias(self, event: AliasEvent, depth: int) -> Located:
        name = event.anchor or ""
        span = self._token(event)
        end = (span.line, span.column + span.width)
        self._aliases += 1
        if self._aliases > _ALIASES:
            self._stop("yaml-alias", f"more than {_ALIASES} aliases", span)
        if name in self._open:
            self._stop("yaml-alias", f'alias "{name}" stands inside its own value', span)
        if name not in self._anchors:
            hint = nearest(name, self._anchors)
            self._fault("yaml-alias", f'no anchor "{name}" before this alias', span, hint)
            return Located(None, span, end)
        anchor = self._anchors[name]
        self._nodes += anchor.size
        if self._nodes > _NODES:
            self._too_many(event)
        self._reached = max(self._reached, depth + anchor.height)
        if depth + anchor.height > _DEPTH:
            self._too_deep(event)
        return Located(anchor.node.value, span, end)

    def _sequence(self, event: yaml.SequenceStartEvent, depth: int) -> Located:
        self._check_tag(event, "seq")
        items: list[Located] = []
        for inner in self._events:
            if type(inner) is SequenceEndEvent:
                return Located(tuple(items), *self._extent(event, inner, items))
            items.append(self._node(inner, depth + 1))
        raise AssertionError("the parser ended inside a sequence")

    def _mapping(self, event: yaml.MappingStartEvent, depth: int) -> Located:
        self._check_tag(event, "map")
        entries: dict[str, Entry] = {}
        nodes: list[Located] = []
        for inner in self._events:
            if type(inner) is MappingEndEvent:
                return Located(entries, *self._extent(event, inner, nodes))
            key = self._node(inner, depth + 1)
            text = self._key(key, inner)
            node = self._node(next(self._events), depth + 1)
            nodes += (key, node)
            if text is None:
                continue
            if text in entries:
                first = entries[text].key_span.line
                hint = f"first given on line {first}"
                self._fault("yaml-duplicate-key", f'key "{text}" is given twice', key.span, hint)
            else:
                entries[text] = Entry(key.span, node)
        raise AssertionError("the parser ended inside a mapping")

    def _key(self, key: Located, event: yaml.Event) -> str | None:
        if type(event) is not ScalarEvent:
            self._fault("yaml-key", "a key must be a word, not a list, mapping or alias", key.span)
            return None
        if not isinstance(key.value, str):
            shown = event.value or "(nothing)"
            hint = f'write it in quotes: "{shown}"'
            self._fault("yaml-key", f"a key must be a string, not {shown}", key.span, hint)
            return None
        if key.value == "<<" and not event.style:
            hint = "repeat the keys, or use an alias for the whole value"
            self._fault("yaml-key", "merge keys are not read", key.span, hint)
            return None
        return key.value

    def _scalar(self, event: yaml.ScalarEvent) -> Located:
        span = self._token(event)
        _, _, line, column = _marks(event)
        value: Scalar = event.value
        if event.tag is not None or not event.style:
            try:
                value = _scalar(event.value, self._tag(event))
            except _BadScalar as bad:
                self._fault("yaml-value", str(bad), span)
        return Located(value, span, (line + 1, column + 1))

    def _tag(self, event: yaml.ScalarEvent) -> str:
        """The short name of a scalar's tag, "" where its text decides."""
        if event.tag is None:
            return "str" if event.style else ""
        known = event.tag != "!" and self._check_tag(event, "")
        return event.tag.removeprefix(_CORE) if known else "str"

    def _check_tag(self, event: yaml.NodeEvent, wanted: str) -> bool:
        tag = getattr(event, "tag", None)
        if tag is None or tag == "!":
            return True
        short = tag.removeprefix(_CORE)
        fits = short == wanted if wanted else short in _TAGS and short not in ("map", "seq")
        if not (tag.startswith(_CORE) and fits):
            shown = f"!!{short}" if tag.startswith(_CORE) else tag
            self._fault("yaml-tag", f"tag {shown} is not allowed here", self._token(event))
            return False
        return True

    def _extent(
        self, start: _Collection, end: yaml.Event, inner: Sequence[Located]
    ) -> tuple[Span, tuple[int, int]]:
        """Span and end of a collection. The end mark of a block collection lies on the next token,
        so what stands inside says how far it reaches."""
        line, column, _, _ = _marks(start)
        if start.flow_style:
            _, _, last, after = _marks(end)
            stop = (last + 1, after + 1)
        else:
            stop = max((n.end for n in inner), default=(line + 1, column + 2))
        if stop[0] == line + 1:
            return self._spot(line, column, stop[1] - 1 - column), stop
        reach = [n.span.column - 1 + n.span.width for n in inner if n.span.line == line + 1]
        if start.flow_style or not reach:
            reach = [len(self._line(line).rstrip())]
        return self._spot(line, column, max(reach) - column), stop

    def _token(self, event: yaml.Event) -> Span:
        line, column, last, after = _marks(event)
        if last == line:
            return self._spot(line, column, after - column)
        return self._spot(line, column, len(self._line(line).rstrip()) - column)

    def _spot(self, line: int, column: int, width: int = 1) -> Span:
        return Span(self._file, line + 1, column + 1, max(1, width), self._line(line))

    def _line(self, line: int) -> str:
        return self._lines[line] if line < len(self._lines) else ""

    def _too_many(self, event: yaml.Event) -> None:
        message = f"more than {_NODES:,} values, aliases counted in full"
        self._stop("yaml-size", message, self._token(event))

    def _too_deep(self, event: yaml.Event) -> None:
        self._stop("yaml-depth", f"nested deeper than {_DEPTH} levels", self._token(event))

    def _fault(self, code: str, message: str, span: Span, hint: str = "") -> None:
        self._faults.append(Fault(code, message, span, hint))
        if len(self._faults) >= _FAULTS:
            raise SpecError(self._faults)

    def _stop(self, code: str, message: str, span: Span, hint: str = "") -> None:
        """Report a fault after which reading on makes no sense. Always raises SpecError."""
        raise SpecError([*self._faults, Fault(code, message, span, hint)])

    def _syntax(self, error: yaml.MarkedYAMLError) -> Iterator[Fault]:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        tabbed = [n for n in range(line, len(self._lines)) if self._lines[n].startswith("\t")]
        if self._line(line)[column : column + 1] == "\t" or line in tabbed:
            for n in [line, *(n for n in tabbed if n > line and self._lines[n].strip())][:_FAULTS]:
                span = self._spot(n, column if n == line else 0)
                yield Fault("yaml-tab", "a tab cannot indent YAML", span, "use spaces")
            return
        if line >= len(self._lines) or not self._line(line).strip():
            # The end of the file is where the parser gave up, not where the text is wrong.
            begun = error.context_mark
            if begun is not None and self._line(begun.line).strip():
                line, column = begun.line, begun.column
            else:
                line = next((n for n in range(line - 1, -1, -1) if self._line(n).strip()), 0)
                column = len(self._line(line).rstrip())
        problem = error.problem or "this is not YAML"
        context = f" ({error.context})" if error.context else ""
        hint = next((hint for part, hint in _HINTS if part in problem), "")
        if not hint and error.context_mark and error.context_mark.line != line:
            hint = f"begun on line {error.context_mark.line + 1}"
        yield Fault("yaml-syntax", problem + context, self._spot(line, column), hint)


_HINTS: Final = (
    ("mapping values are not allowed", 'a text that contains ": " needs quotes'),
    ("cannot start any token", "a text that begins with this character needs quotes"),
    ("could not find expected ':'", 'a key needs ": " after it'),
    ("unexpected end of stream", "a quote is not closed"),
)


def _scalar(text: str, tag: str) -> Scalar:
    """The value of a scalar. Raises _BadScalar."""
    if tag == "str":
        return text
    value = _untagged(text)
    if tag == "float" and type(value) is int:
        return float(value)
    if tag and (type(value).__name__ if value is not None else "null") != tag:
        raise _BadScalar(f'"{text[:40]}" is not {"an int" if tag == "int" else "a " + tag}')
    return value


def _untagged(text: str) -> Scalar:
    if not text or text in ("~", "null", "Null", "NULL"):
        return None
    first = text[0]
    if first in "tTfF":
        if text in ("true", "True", "TRUE"):
            return True
        if text in ("false", "False", "FALSE"):
            return False
        return text
    return _number(text) if first in "0123456789+-." else text


def _number(text: str) -> int | float | str:
    if len(text) > _DIGITS:
        if _INT.fullmatch(text) or _FLOAT.fullmatch(text):
            raise _BadScalar(f"a number of more than {_DIGITS} characters")
        return text
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        value = float(text.replace("_", ""))
        if math.isinf(value):
            raise _BadScalar(f"{text[:40]} is too large for a number")
        return value
    sign, low = text[:1], text.lstrip("+-").lower()
    if low == ".inf" and len(text) <= 5:
        return -math.inf if sign == "-" else math.inf
    return math.nan if text.lower() == ".nan" else text
