"""What a server has done, in Prometheus' text format, version 0.0.4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .gate import Gate

__all__ = ["METRICS_TYPE", "Metrics"]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts of one served model."""

    def __init__(self, name: str, gate: Gate) -> None:
        self._label = name.replace("\\", "\\\\").replace('"', '\\"')
        self._gate = gate
        self.prompt_tokens = self.cached_tokens = self.completion_tokens = 0
        self.requests: Counter[str] = Counter()
        """Requests by what became of them: their status, or `cancelled`."""

    def text(self) -> str:
        """Everything, as Prometheus reads it."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for name, kind, about, value in (
            ("requests_running", "gauge", "Requests that are being answered.", self._gate.running),
            ("requests_waiting", "gauge", "Requests that wait for a slot.", self._gate.waiting),
            ("prompt_tokens_total", "counter", "Tokens of prompts.", self.prompt_tokens),
            ("cached_tokens_total", "counter", "Those found in a cache.", self.cached_tokens),
            ("completion_tokens_total", "counter", "Tokens made.", self.completion_tokens),
        ):
            yield from _head(name, kind, about)
            yield f'polyarch_{name}{{model="{self._label}"}} {value}'
        yield from _head("requests_total", "counter", "Requests by what became of them.")
        for outcome, count in sorted(self.requests.items()):
            yield f'polyarch_requests_total{{model="{self._label}",outcome="{outcome}"}} {count}'


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP polyarch_{name} {about}"
    yield f"# TYPE polyarch_{name} {kind}"
