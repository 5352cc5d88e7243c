"""The engine: a process of vLLM's own, shared by the models that want the same one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import count
from typing import Any

from ...compiler.errors import BackendError
from .opening import opened
from .starting import Starting
from .stats import Queue
from .watch import Watch

__all__ = ["Engine", "Running"]

_GRACE = 20.0
"""Seconds in which the engine's processes may end by themselves."""


class Engine:
    """Starts with the first request, again after its process died, and ends with its last user.

    It belongs to the event loop of its first request.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any], written: tuple[str, ...]) -> None:
        """`written` are the names among the arguments that the user wrote for vLLM."""
        self.arguments = dict(arguments)
        self._written = written
        self._name = name
        self._users = 0
        self._starting: asyncio.Task[Running] | None = None
        self._under_way: Starting | None = None
        self._numbers = count()

    def enter(self) -> None:
        """One more model uses it."""
        self._users += 1

    async def leave(self) -> None:
        """One model fewer uses it; the last one ends its process."""
        self._users -= 1
        if self._users:
            return
        starting, self._starting = self._starting, None
        if starting is None:
            return
        if self._under_way is not None:
            self._under_way.give_up()
        try:
            running = await asyncio.shield(starting)
        except Exception:  # noqa: BLE001 -- it did not start, so there is nothing to end
            return
        await asyncio.shield(asyncio.create_task(running.end()))

    @property
    def running(self) -> Running | None:
        """The engine, once it has started and while it lives."""
        starting = self._starting
        if starting is None or not starting.done() or starting.cancelled():
            return None
        if starting.exception() is not None or starting.result().llm.errored:
            return None
        return starting.result()

    async def started(self) -> Running:
        """The engine, started if need be. Raises `BackendError` if it does not start, and the same
        again from then on."""
        starting = self._starting
        if starting is None:
            starting = self._starting = asyncio.create_task(self._start(None))
        elif starting.done() and starting.exception() is None and starting.result().llm.errored:
            starting = self._starting = asyncio.create_task(self._start(starting.result()))
        # The start goes on for others, and for whoever must end it, if this request is given up.
        return await asyncio.shield(starting)

    def number(self) -> str:
        """A name for a request that no other has."""
        return f"{self._name}-{next(self._numbers)}"

    async def _start(self, dead: Running | None) -> Running:
        if dead is not None:
            await dead.end()
        watch = Watch()
        self._under_way = starting = Starting(watch)
        try:
            llm = await asyncio.to_thread(
                opened, self._name, self.arguments, self._written, starting
            )
        except BackendError:
            watch.end()
            raise
        except asyncio.CancelledError:  # the loop ends
            starting.give_up()
            raise
        finally:
            self._under_way = None
        return Running(llm, watch)


class Running:
    """An engine that has started: vLLM's `AsyncLLM`, and what it tells of its queue."""

    __slots__ = ("_processes", "_watch", "llm", "queue")

    def __init__(self, llm: Any, watch: Watch) -> None:
        self.llm = llm
        self.queue = next(t for t in llm.logger_manager.stat_loggers if isinstance(t, Queue))
        manager = llm.engine_core.resources.engine_manager
        # Engines on Ray have none here.
        self._processes = list(getattr(manager, "processes", ()))
        self._watch = watch

    @property
    def context(self) -> int:
        """The longest prompt and completion together, in tokens."""
        return int(self.llm.model_config.max_model_len)

    async def end(self) -> None:
        """End the engine's processes, and wait until they are gone."""
        handler = self.llm.output_handler
        if handler is not None:  # or it would report the end as a failure
            handler.cancel()
            await asyncio.gather(handler, return_exceptions=True)
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self.llm.shutdown(timeout=_GRACE)
        for process in self._processes:
            process.join()
        self._watch.end()
