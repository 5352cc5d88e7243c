"""Which part of a pipeline its answers come from: runs of a trace again, with something changed."""

from __future__ import annotations

from .blame import Blame, blame, blaming_plan
from .failures import Failure, Failures, failure_attribution
from .faithfulness import Faithfulness, Probed, faithfulness, rewording_plan
from .live import Live
from .reduced import halved, reductions, without
from .steps import Part, Steps, step_attribution
from .traced import Traced, traced

__all__ = [
    "Blame",
    "Failure",
    "Failures",
    "Faithfulness",
    "Live",
    "Part",
    "Probed",
    "Steps",
    "Traced",
    "blame",
    "blaming_plan",
    "failure_attribution",
    "faithfulness",
    "halved",
    "reductions",
    "rewording_plan",
    "step_attribution",
    "traced",
    "without",
]
