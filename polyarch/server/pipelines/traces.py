"""The traces of recent requests, in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from ...compiler.plan import Plan
from ...compiler.secrets import Secrets
from ...compiler.values import Json, Usage
from ...runtime.events import Event
from ...runtime.result import Result
from ...runtime.trace.write import line

__all__ = ["State", "Trace", "Traces"]

State: TypeAlias = Literal["running", "ended", "failed", "cancelled"]

_EVENT = 300
"""About what an event takes beside its texts, in characters."""
_SMALL = (int, float, type(None))


class Trace:
    """What is known of one request. A listener of its run.

    `events` grow while its `state` is running. `began` is in seconds of the clock on the wall.
    """

    def __init__(self, id: str, plan: Plan) -> None:
        self.id = id
        self.plan = plan
        """As it was when the request came: its file may have changed since."""
        self.pipeline = plan.graph.name
        self.began = time.time()
        self.state: State = "running"
        self.why = ""
        """What it failed with."""
        self.seconds = 0.0
        self.usage = Usage()
        self.events: list[Event] = []
        self.result: Result | None = None
        self.size = _EVENT
        """About the characters that it takes."""

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        self.events.append(event)
        self.size += _EVENT
        for value in event.data.values():
            if not isinstance(value, _SMALL):
                self.size += len(value) if isinstance(value, str) else _length(value)

    def told(self, start: int = 0) -> Sequence[Json]:
        """The events from number `start` on as JSON, without anything secret."""
        clean = Secrets().clean
        return [clean(line(event)) for event in self.events[start:]]


class Traces:
    """The last traces, at most so many and of about so many characters together."""

    def __init__(self, most: int = 200, characters: int = 32_000_000) -> None:
        self._most = most
        self._characters = characters
        self._kept: OrderedDict[str, Trace] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._size = 0
        """Characters of those that have ended."""

    def begin(self, id: str, plan: Plan) -> Trace:
        """The trace of a request that begins now."""
        trace = Trace(id, plan)
        if self._most:
            self._kept[id] = trace
            self._forget()
        return trace

    def settle(self, trace: Trace) -> None:
        """It has ended: what it takes is known."""
        if trace.id in self._kept:
            self._sizes[trace.id] = trace.size
            self._size += trace.size
            self._forget()

    def get(self, id: str) -> Trace | None:
        """The trace of that request, if it is kept."""
        return self._kept.get(id)

    def __iter__(self) -> Iterator[Trace]:
        """The newest first."""
        return iter(list(reversed(self._kept.values())))

    def __len__(self) -> int:
        return len(self._kept)

    def _forget(self) -> None:
        """Forget the oldest that are too many or too much."""
        while len(self._kept) > self._most or self._size > self._characters:
            id, _ = self._kept.popitem(last=False)
            self._size -= self._sizes.pop(id, 0)


def _length(value: Json) -> int:
    """About how many characters there are in it."""
    match value:
        case str():
            return len(value)
        case Mapping():
            return sum(map(_length, value.values()))
        case None | bool() | int() | float():
            return 8
    return sum(map(_length, value))
