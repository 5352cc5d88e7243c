"""The parser's events to a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import yaml
from yaml import AliasEvent, MappingEndEvent, ScalarEvent, SequenceEndEvent

from ..errors import Span
from ..names import nearest
from .bounds import ALIASES, DEPTH, NODES
from .extent import Extent, Lines, collection_extent, event_extent
from .faults import Faults
from .keys import key_text
from .scalars import BadScalar, tagged, untagged
from .tags import short_tag, tag_fault
from .tree import Entry, Located, Scalar

__all__ = ["Composer"]

_Collection: TypeAlias = "yaml.MappingStartEvent | yaml.SequenceStartEvent"


@dataclass(frozen=True, slots=True)
class _Anchor:
    node: Located
    size: int
    height: int


class Composer:
    """Builds the tree from libyaml's events in one pass.

    Not from composed nodes: the bounds must hold before anything recursive or exponential is
    built, and a syntax error must not hide the faults before it.
    """

    def __init__(self, lines: Lines, events: Iterator[yaml.Event], faults: Faults) -> None:
        self._lines = lines
        self._events = events
        self._faults = faults
        self._anchors: dict[str, _Anchor] = {}
        self._open: set[str] = set()
        self._nodes = 0
        self._aliases = 0
        self._reached = 0

    def node(self, event: yaml.Event, depth: int = 1) -> Located:
        """The value that begins with an event; reads on to its end."""
        if type(event) is AliasEvent:
            return self._alias(event, depth)
        assert isinstance(event, yaml.NodeEvent)
        self._nodes += 1
        if self._nodes > NODES or depth > DEPTH:
            self._too_much(event)
        if event.anchor is not None:
            return self._anchored(event, event.anchor, depth)
        if depth > self._reached:
            self._reached = depth
        return self._scalar(event) if type(event) is ScalarEvent else self._content(event, depth)

    def _anchored(self, event: yaml.NodeEvent, name: str, depth: int) -> Located:
        if name in self._anchors or name in self._open:
            self._faults.add("yaml-alias", f'anchor "{name}" is set twice', self._span(event))
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
        extent = event_extent(self._lines, event)
        self._aliases += 1
        if self._aliases > ALIASES:
            self._faults.stop("yaml-alias", f"more than {ALIASES} aliases", extent.span())
        if name in self._open:
            message = f'alias "{name}" stands inside its own value'
            self._faults.stop("yaml-alias", message, extent.span())
        if name not in self._anchors:
            message = f'no anchor "{name}" before this alias'
            hint = nearest(name, self._anchors)
            self._faults.add("yaml-alias", message, extent.span(), hint)
            return Located(None, extent)
        anchor = self._anchors[name]
        self._nodes += anchor.size
        self._reached = max(self._reached, depth + anchor.height)
        if self._nodes > NODES or depth + anchor.height > DEPTH:
            self._too_much(event)
        return Located(anchor.node.value, extent)

    def _sequence(self, event: yaml.SequenceStartEvent, depth: int) -> Located:
        self._check_tag(event, "seq")
        items: list[Located] = []
        for inner in self._events:
            if type(inner) is SequenceEndEvent:
                extents = [item.extent for item in items]
                return Located(tuple(items), self._extent(event, inner, extents))
            items.append(self.node(inner, depth + 1))
        raise AssertionError("the parser ended inside a sequence")

    def _mapping(self, event: yaml.MappingStartEvent, depth: int) -> Located:
        self._check_tag(event, "map")
        entries: dict[str, Entry] = {}
        extents: list[Extent] = []
        for inner in self._events:
            if type(inner) is MappingEndEvent:
                return Located(entries, self._extent(event, inner, extents))
            key = self.node(inner, depth + 1)
            text = key_text(key, inner, self._faults)
            node = self.node(next(self._events), depth + 1)
            extents += (key.extent, node.extent)
            if text is None:
                continue
            if text in entries:
                hint = f"first given on line {entries[text].key.line}"
                message = f'key "{text}" is given twice'
                self._faults.add("yaml-duplicate-key", message, key.span, hint)
            else:
                entries[text] = Entry(key.extent, node)
        raise AssertionError("the parser ended inside a mapping")

    def _scalar(self, event: yaml.ScalarEvent) -> Located:
        value: Scalar = event.value
        extent = event_extent(self._lines, event)
        if event.tag is not None or not event.style:
            try:
                value = (
                    untagged(event.value)
                    if event.tag is None
                    else tagged(event.value, self._scalar_tag(event, event.tag))
                )
            except BadScalar as bad:
                self._faults.add("yaml-value", str(bad), extent.span())
        return Located(value, extent)

    def _scalar_tag(self, event: yaml.ScalarEvent, tag: str) -> str:
        """The short name of a scalar's tag."""
        return short_tag(tag) if self._check_tag(event) and tag != "!" else "str"

    def _check_tag(self, event: _Collection | yaml.ScalarEvent, wanted: str = "") -> bool:
        wrong = tag_fault(event.tag, wanted)
        if wrong:
            self._faults.add("yaml-tag", wrong, self._span(event))
        return not wrong

    def _extent(self, event: _Collection, stop: yaml.Event, inner: list[Extent]) -> Extent:
        start, end = event_extent(self._lines, event), event_extent(self._lines, stop)
        return collection_extent(start, bool(event.flow_style), end, inner)

    def _span(self, event: yaml.Event) -> Span:
        return event_extent(self._lines, event).span()

    def _too_much(self, event: yaml.Event) -> NoReturn:
        span = self._span(event)
        if self._nodes > NODES:
            message = f"more than {NODES:,} values, aliases counted in full"
            self._faults.stop("yaml-size", message, span)
        self._faults.stop("yaml-depth", f"nested deeper than {DEPTH} levels", span)
