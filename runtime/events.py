"""Things that happened. Whatever people look at is drawn from events; no reader can break a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from ..compiler.values import NOTHING, Json

__all__ = ["Bus", "Event", "Happening", "Listener", "canonical"]


class Event(NamedTuple):
    """Something that happened at a step, at the place of its output with that index.

    `what` is one of: started, without, asked, drew, recalled, ran, made, dropped, unreadable,
    noted, retried, fell back, hedged, offered, called, lost, closed, failed, ended. `without` tells
    what a step does without, since its model does not offer it. `offered` tells which tools a model
    is told of, `called` what became of a call of one. `drew` and `recalled` hold what a reply has
    beside its text (reasoning, logprobs, prompt_logprobs, calls, values) only where it has any.
    `at` is in seconds on the event loop's clock. A `closed` event of a step tells how many of its
    candidates were `read` and how many `opened`.
    """

    what: str
    question: str
    step: str = ""
    place: int = -1
    at: float = 0.0
    data: Mapping[str, Json] = NOTHING


Happening: TypeAlias = "tuple[str, str, int, float, Mapping[str, Json]]"
"""An event of one question as a run keeps it: what, step, place, at, data. A plain tuple, since the
garbage collector leaves plain tuples of plain values alone."""

Listener: TypeAlias = Callable[[Event], None]


class Bus:
    """Hands events to listeners. A listener that raises is dropped and logged, the run goes on."""

    __slots__ = ("_listeners", "listened")

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._listeners = tuple(listeners)
        self.listened = bool(self._listeners)
        """Whether anybody is told."""

    def emit(self, event: Event) -> None:
        """Tell every listener."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                logging.getLogger(__name__).exception("a listener raised and is dropped")
                self._listeners = tuple(other for other in self._listeners if other != listener)
                self.listened = bool(self._listeners)


def _order(event: Event) -> tuple[str, bool, str, int, int]:
    """By place, and within it by request; events of one request keep their order."""
    ask = event.data.get("ask", -1)
    ended = event.what in ("ended", "failed")
    return event.question, ended, event.step, event.place, ask if isinstance(ask, int) else -1


_LEFT_OUT = frozenset({"digest", "opened", "parts", "seconds"})
"""What depends on timing, and what is told only while somebody listens."""


def canonical(trace: Iterable[Event]) -> list[Json]:
    """The part of a trace that does not depend on timing, in an order that does not either.

    Two runs of one plan with equal seeds and replies have equal canonical traces, whatever the
    latencies and the concurrency. Left out are times, and what was under way ahead of a reader that
    had seen enough, and how much that was.
    """
    events = list(trace)
    read = {(e.question, e.step): int(str(e.data["read"])) for e in events if e.what == "closed"}
    kept = [e for e in events if e.place < read.get((e.question, e.step), e.place + 1)]
    kept.sort(key=_order)
    return [
        {
            "what": e.what,
            "question": e.question,
            "step": e.step,
            "place": e.place,
            **{key: value for key, value in e.data.items() if key not in _LEFT_OUT},
        }
        for e in kept
    ]
