"""What a run writes beside its answers: kept replies and the trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..compiler.plan import Plan
from ..runtime.cache import Cache
from ..runtime.cachefile import default_path
from ..runtime.events import Listener
from ..runtime.store import Store

__all__ = ["cache", "tracing"]


@contextmanager
def cache(wanted: bool) -> Iterator[list[Store]]:
    """The user's cache of replies, if it is wanted."""
    if not wanted:
        yield []
        return
    opened = Cache(default_path())
    try:
        yield [Store(opened)]
    finally:
        opened.close()


@contextmanager
def tracing(file: str | None, plan: Plan) -> Iterator[list[Listener]]:
    """A writer of events to a file, if one is named."""
    if file is None:
        yield []
        return
    from ..runtime.trace.write import TraceWriter

    with TraceWriter(file, plan) as writer:
        yield [writer]
