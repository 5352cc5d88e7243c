"""Starting what cannot be stopped at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

__all__ = ["started"]

_Result = TypeVar("_Result")


@coroutine
def started(work: Coroutine[Any, Any, _Result]) -> Generator[Any, Any, _Result]:
    """Await a coroutine, but never cut its first wait short: a cancellation arrives after it.

    litellm prepares each request in a thread, which hands back the coroutine that sends it.
    Cancelled before that, the thread would go on, and its coroutine be lost.
    """
    try:
        waited = work.send(None)
    except StopIteration as ended:
        result: _Result = ended.value
        return result
    late = False
    while not waited.done():
        try:
            yield from asyncio.shield(waited)
        except asyncio.CancelledError:
            late = True
        except Exception:  # noqa: BLE001 -- the coroutine is told itself, in a moment
            break
    if late and (task := asyncio.current_task()) is not None:
        # Cancels what the coroutine waits for next; the first request for it stays the only one.
        task.cancel()
        task.uncancel()
    result = yield from work
    return result
