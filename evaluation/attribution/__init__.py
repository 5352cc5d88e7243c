"""Which part of a pipeline its answers come from: runs of a trace again, with something changed."""

from __future__ import annotations

from .reduced import halved, reductions, without
from .steps import Part, Steps, step_attribution
from .traced import Traced, traced

__all__ = [
    "Part",
    "Steps",
    "Traced",
    "halved",
    "reductions",
    "step_attribution",
    "traced",
    "without",
]
