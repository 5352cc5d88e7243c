"""How good an answer is. One metric a file, named as it."""

from __future__ import annotations

from .calibration import calibration
from .named import METRICS, metric
from .pass_at_k import pass_at_k
from .score import Given, Metric, Score, score_all

__all__ = [
    "METRICS",
    "Given",
    "Metric",
    "Score",
    "calibration",
    "metric",
    "pass_at_k",
    "score_all",
]
