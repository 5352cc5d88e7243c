"""What a server has done, as Prometheus reads it."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ..compiler.values import Usage
from .gate import Gate

__all__ = ["METRICS_TYPE", "Metrics"]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds."""

_SPENT = (
    ("calls", "Calls of models; of a pipeline, all that it makes."),
    ("prompt_tokens", "Tokens of prompts."),
    ("cached_tokens", "Those found in a cache."),
    ("completion_tokens", "Tokens made."),
    ("usd", "Dollars spent, as far as prices are known."),
)


class Metrics(Collector):
    """Counts by the names that are served."""

    def __init__(self) -> None:
        self.gate: Gate | None = None
        self._spent: dict[str, Usage] = {}
        self._requests: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[str, _Seconds] = {}
        self._reloads: Counter[tuple[str, str]] = Counter()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def spent(self, name: str, usage: Usage) -> None:
        """So much was spent on requests to that name."""
        self._spent[name] = self._spent.get(name, Usage()) + usage

    def request(self, name: str, outcome: str, seconds: float) -> None:
        """A request is over: its status, or `cancelled`. "" names nothing that is served."""
        self._requests[name, outcome] += 1
        self._seconds.setdefault(name, _Seconds()).add(seconds)

    def reloaded(self, name: str, outcome: str) -> None:
        """A changed file was taken up (`served`), or was not (`refused`)."""
        self._reloads[name, outcome] += 1

    def text(self) -> bytes:
        """Everything, in the text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Everything, for a registry of `prometheus_client`."""
        gate = self.gate
        for state, about in (("running", "are being answered"), ("waiting", "wait for a slot")):
            count = getattr(gate, state, 0)
            yield GaugeMetricFamily(f"polyarch_requests_{state}", f"Requests that {about}.", count)
        tasks = len(asyncio.all_tasks())
        yield GaugeMetricFamily("polyarch_tasks", "Tasks of the server's event loop.", tasks)
        for unit, about in _SPENT:
            family = CounterMetricFamily(f"polyarch_{unit}", about, labels=["model"])
            for name, usage in self._spent.items():
                family.add_metric([name], getattr(usage, unit))
            yield family
        yield _counts("polyarch_requests", "Requests by what became of them.", self._requests)
        yield _counts("polyarch_reloads", "Changed files by what became of them.", self._reloads)
        about = "How long requests took, their wait for a slot included."
        seconds = HistogramMetricFamily("polyarch_request_seconds", about, labels=["model"])
        for name, taken in self._seconds.items():
            seconds.add_metric([name], taken.buckets(), taken.sum)
        yield seconds


class _Seconds:
    """How many requests took how long."""

    def __init__(self) -> None:
        self.sum = 0.0
        self._counts = [0] * (len(_BOUNDS) + 1)

    def add(self, seconds: float) -> None:
        """One that took so long."""
        self.sum += seconds
        self._counts[bisect_left(_BOUNDS, seconds)] += 1

    def buckets(self) -> list[tuple[str, float]]:
        """How many took no longer than each bound."""
        bounds = [*map(str, _BOUNDS), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True))


def _counts(name: str, about: str, counts: Counter[tuple[str, str]]) -> Metric:
    family = CounterMetricFamily(name, about, labels=["model", "outcome"])
    for labels, count in sorted(counts.items()):
        family.add_metric(list(labels), count)
    return family
