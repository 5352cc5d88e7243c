"""The engine: a process of vLLM's own, shared by the models that want the same one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import fields
from itertools import count
from typing import Any

from ...compiler.errors import BackendError
from .arguments import known
from .faults import Faults
from .stats import Queue, queue_logger
from .watch import Watch

__all__ = ["Engine", "Running"]

_ENVIRONMENT = {
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
}
"""What vLLM reads of the environment, where the user said nothing: results go to standard output,
and nobody is told what runs here."""

_GRACE = 20.0
"""Seconds in which the engine's processes may end by themselves."""


class Engine:
    """Starts with the first request, again after its process died, and ends with its last user.

    It belongs to the event loop of its first request.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any], extra: tuple[str, ...]) -> None:
        """`extra` are the names among the arguments that the user wrote for vLLM."""
        self.arguments = dict(arguments)
        self._extra = extra
        self._name = name
        self._faults = Faults(name)
        self._users = 0
        self._starting: asyncio.Task[Running] | None = None
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
        try:
            if dead is not None:
                await dead.end()
            return await asyncio.to_thread(self._open)
        except BackendError:
            raise
        except Exception as error:
            failure = self._faults.start(error)
            raise failure from error

    def _open(self) -> Running:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        known(self._name, self._extra, (field.name for field in fields(AsyncEngineArgs)))

        class Ended(AsyncLLM):  # type: ignore[misc]
            """Ended by `Running.end` alone: at the end of the interpreter it would fail."""

            def __del__(self) -> None:
                pass

        settings = AsyncEngineArgs(**self.arguments)
        return Running(Ended.from_engine_args(settings, stat_loggers=[queue_logger()]))


class Running:
    """An engine that has started: vLLM's `AsyncLLM`, and what it tells of its queue."""

    __slots__ = ("_processes", "_watch", "llm", "queue")

    def __init__(self, llm: Any) -> None:
        self.llm = llm
        self.queue = next(t for t in llm.logger_manager.stat_loggers if isinstance(t, Queue))
        manager = llm.engine_core.resources.engine_manager
        # Engines on Ray have none here.
        self._processes = list(getattr(manager, "processes", ()))
        self._watch = Watch([process.pid for process in self._processes])

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
