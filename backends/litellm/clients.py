"""The connections that litellm keeps for an event loop, and when they are closed."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import MutableMapping
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["Clients"]


class Clients:
    """A hold on the clients of the loop that runs, for as long as a backend is used in it.

    litellm keeps its clients by loop in one cache for the whole process, and shares them between
    models. So those that were not there before are closed when the last hold is released.
    """

    __slots__ = ("_litellm", "_loop")

    def __init__(self, litellm: Any) -> None:
        self._litellm = litellm
        self._loop = asyncio.get_running_loop()
        held = _held()
        count, before = held.get(self._loop) or (0, frozenset(self._keys()))
        held[self._loop] = (count + 1, before)

    async def release(self) -> None:
        """Give the hold up. Once only."""
        held = _held()
        count, before = held.pop(self._loop)
        if count > 1:
            held[self._loop] = (count - 1, before)
            return
        await self._quiet()
        for key in self._keys() - before:
            await _close(self._cache.cache_dict.pop(key, None))

    async def _quiet(self) -> None:
        """Let the task end that litellm starts in a loop for callbacks, once they have run; it
        starts another when it needs one."""
        from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER as worker

        if worker._bound_loop is self._loop:
            await worker.flush()
            await worker.stop()

    @property
    def _cache(self) -> Any:
        return self._litellm.in_memory_llm_clients_cache

    def _keys(self) -> set[str]:
        """The keys of this loop's clients; litellm ends them so."""
        mine = f"-{id(self._loop)}"
        return {key for key in self._cache.cache_dict if key.endswith(mine)}


_Held = MutableMapping[asyncio.AbstractEventLoop, tuple[int, frozenset[str]]]


@cache
def _held() -> _Held:
    """By loop: how many holds there are, and which clients were there before the first."""
    return WeakKeyDictionary()


async def _close(client: Any) -> None:
    close = getattr(client, "close", None) or getattr(client, "aclose", None)
    done = close() if close is not None else None
    if inspect.isawaitable(done):
        await done
