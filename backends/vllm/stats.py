"""What the engine's scheduler tells of its queue, kept as it comes."""

from __future__ import annotations

from typing import Any

__all__ = ["Queue", "queue_logger"]


class Queue:
    """How many draws run and wait after the engine's last step, over all its replicas, and how many
    tokens its prefix cache was asked for and had."""

    def __init__(self, vllm_config: Any = None, engine_indexes: Any = None) -> None:
        self._by_engine: dict[int, tuple[int, int]] = {}
        self.asked = self.hits = 0

    @property
    def running(self) -> int:
        """Draws under way."""
        return sum(running for running, _ in self._by_engine.values())

    @property
    def waiting(self) -> int:
        """Draws that wait for room."""
        return sum(waiting for _, waiting in self._by_engine.values())

    def record(
        self,
        scheduler_stats: Any,
        iteration_stats: Any,
        mm_cache_stats: Any = None,
        engine_idx: int = 0,
    ) -> None:
        """Called by the engine after each step."""
        told = scheduler_stats
        if told is None:
            return
        waiting = told.num_waiting_reqs + told.num_skipped_waiting_reqs
        self._by_engine[engine_idx] = (told.num_running_reqs, waiting)
        if told.prefix_cache_stats is not None:
            self.asked += told.prefix_cache_stats.queries
            self.hits += told.prefix_cache_stats.hits

    def log_engine_initialized(self) -> None:
        """Nothing is logged."""

    def log(self) -> None:
        """Nothing is logged."""

    def record_sleep_state(self, sleep: int = 0, level: int = 0) -> None:
        """Nothing is kept of it."""

    def record_admission_rejection(self, reason: str) -> None:
        """Nothing is kept of it."""


def queue_logger() -> type[Queue]:
    """A `Queue` as vLLM takes it: in place of the Prometheus metrics that it would keep otherwise,
    at a fraction of their cost and without touching the process's registry."""
    from vllm.v1.metrics.loggers import PrometheusStatLogger

    return type("QueueLogger", (Queue, PrometheusStatLogger), {})
