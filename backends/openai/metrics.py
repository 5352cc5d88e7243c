"""What a server tells of its queue: vLLM, or polyarch itself."""

from __future__ import annotations

import re

__all__ = ["waiting_in"]

_WAITING = re.compile(
    r"^(?:vllm:num|polyarch)_requests_waiting(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE
)


def waiting_in(metrics: str) -> int | None:
    """The requests that wait, by the metrics, over all its engines; None if they do not tell."""
    told = _WAITING.findall(metrics)
    return int(sum(map(float, told))) if told else None
