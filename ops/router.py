"""Name the case that a question belongs to, by what was learnt of others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from math import exp
from typing import ClassVar

from ..compiler import fitted
from ..compiler.op import All, Amount, Context, Flow, Stream
from ..compiler.values import Candidate, Origin
from ._features import features

__all__ = ["Router"]


class Router(All):
    """Name the case that a question belongs to, by what was learnt of others.

    For the `by:` of a route. Reads the question alone and yields one candidate, whose text is the
    first or the second of the two cases that `polyarch fit --what router` was given: the second
    where its chance of being needed is above the threshold fitted. Adds the score `router`, that
    chance. Asks nobody; the same question always goes the same way.

    Hybrid LLM (Ding et al., 2024).
    """

    reads: ClassVar[bool] = False

    by: fitted.Router
    """What was fitted: `{file: router.json}`."""

    def flow(self, given: Flow) -> Flow:
        words = max(len(case) for case in self.by.cases)
        return Flow(
            Amount(1, 1),
            frozenset({"router"}),
            tokens=Amount(1, words),
            question=given.question,
        )

    def least(self, given: Flow) -> int:
        return 0

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        chance = self.chance(ctx.question.text)
        case = self.by.cases[chance > self.by.threshold]
        made = Candidate(case, ctx.answer.read(case), Origin(ctx.step, 0))
        yield made.scored("router", chance)

    def chance(self, text: str) -> float:
        """The chance that a question needs the second case."""
        found = features(text, self.by.buckets)
        told = self.by.coefficients
        total = self.by.intercept + sum(told.get(at, 0.0) * value for at, value in found.items())
        return 1 / (1 + exp(-total)) if total >= 0 else exp(total) / (1 + exp(total))
