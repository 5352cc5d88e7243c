"""The processes of an engine that is being started, from the moment that each is there."""

from __future__ import annotations

from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from threading import Event, Lock, Thread
from types import TracebackType

from .watch import Watch

__all__ = ["Starting"]

_ALONE = Lock()
"""Engines start one after another: each measures the memory that the device has left."""

_BETWEEN_LOOKS = 0.02
"""Seconds between two looks at this process's children."""

_NAMES = ("EngineCore", "VLLM")
"""How vLLM names its processes."""


class Starting:
    """A context in which an engine starts.

    vLLM tells of its processes once they work. Until then they would outlive this one if it were
    killed, and nothing could be given up.
    """

    def __init__(self, watch: Watch) -> None:
        """`watch` is told of every process."""
        self._watch = watch
        self._over = Event()
        self._given_up = Event()
        self._looking = Thread(target=self._look, name="vllm-starting", daemon=True)

    def __enter__(self) -> Starting:
        _ALONE.acquire()
        self._before = active_children()
        self._looking.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._looking.join()
        _ALONE.release()

    def give_up(self) -> None:
        """Let the start fail: now, or as soon as its first process is there."""
        self._given_up.set()

    def _look(self) -> None:
        started: list[BaseProcess] = []
        while not self._over.wait(_BETWEEN_LOOKS):
            for child in active_children():
                if child.name.startswith(_NAMES) and child not in self._before + started:
                    started.append(child)
                    self._watch.follow(child.pid or 0)
            if self._given_up.is_set():
                for child in started:
                    child.kill()
