"""What a pipeline cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...compiler.values import total
from ..record import Record

__all__ = ["Costs", "costs"]


@dataclass(frozen=True, slots=True)
class Costs:
    """What one question took on average (`hits` came from a cache, free of charge), the wall time
    of half, nine in ten and 99 in 100 of them, and the dollars of all. `judging_usd` and
    `judging_calls` are what scoring cost beside."""

    calls: float
    prompt_tokens: float
    completion_tokens: float
    cached_tokens: float
    usd: float
    hits: float
    seconds: float
    p50: float
    p90: float
    p99: float
    total_usd: float
    total_tokens: int
    judging_calls: int
    judging_usd: float

    @property
    def tokens(self) -> float:
        """Prompt and completion tokens of a question."""
        return self.prompt_tokens + self.completion_tokens


def costs(records: Sequence[Record]) -> Costs:
    """The costs of records; those that failed are counted, for they were paid."""
    spent, judging = total(r.usage for r in records), total(r.judging for r in records)
    count = len(records)
    times = [r.seconds for r in records if not r.error or r.seconds] or [0.0]
    p50, p90, p99 = (float(one) for one in np.quantile(times, [0.5, 0.9, 0.99]))
    return Costs(
        calls=spent.calls / count,
        prompt_tokens=spent.prompt_tokens / count,
        completion_tokens=spent.completion_tokens / count,
        cached_tokens=spent.cached_tokens / count,
        usd=spent.usd / count,
        hits=spent.hits / count,
        seconds=float(np.mean(times)),
        p50=p50,
        p90=p90,
        p99=p99,
        total_usd=spent.usd,
        total_tokens=spent.tokens,
        judging_calls=judging.calls,
        judging_usd=judging.usd,
    )
