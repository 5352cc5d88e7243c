"""Name the case that a question belongs to, by what was learnt of others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from math import exp, isfinite, sqrt
from typing import ClassVar, Self

from pydantic import model_validator

from ..compiler import fitted
from ..compiler.model import Capability
from ..compiler.op import All, Amount, Asking, Calls, Context, Flow, Stream
from ..compiler.values import Candidate, Origin
from ._embeddings import embedded
from ._features import features

__all__ = ["Router", "unit"]


class Router(Asking, All):
    """Name the case that a question belongs to, by what was learnt of others.

    For the `by:` of a route. Reads the question alone and yields one candidate, whose text is the
    first or the second of the two cases that `polyarch fit --what router` was given: the second
    where its chance of being needed is above the threshold fitted. Adds the score `router`, that
    chance. The same question always goes the same way. What was fitted to the words of questions
    asks nobody; what was fitted to embeddings asks the model that gave them for the question's own,
    and if there is none that is finite and not zero, yields nothing.

    Hybrid LLM (Ding et al., 2024).
    """

    reads: ClassVar[bool] = False

    by: fitted.Router
    """What was fitted: `{file: router.json}`."""

    @model_validator(mode="after")
    def _asks_who_was_fitted(self) -> Self:
        own = self.model_fields_set & Asking.model_fields.keys() - {"model"}
        if own or (self.model is not None and self.model != self.by.embedder):
            raise ValueError("whom a router asks, and for what, is in what was fitted")
        return self

    def flow(self, given: Flow) -> Flow:
        words = max(len(case) for case in self.by.cases)
        return Flow(
            Amount(0 if self.by.embedder else 1, 1),
            frozenset({"router"}),
            tokens=Amount(1, words),
            question=given.question,
        )

    def least(self, given: Flow) -> int:
        return 0

    def askings(self) -> tuple[Asking, ...]:
        told = {"model": self.by.embedder}
        return (self.model_copy(update=told),) if self.by.embedder else ()

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        return super().with_askings(askings) if askings else self

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        one = Amount(1, 1)
        asked = Calls(self.by.embedder, one, given.question, Amount(0, 0))
        return (asked,) if self.by.embedder else ()

    def asks(self) -> frozenset[Capability]:
        return frozenset({Capability.EMBEDDINGS} if self.by.embedder else ())

    def roles(self) -> frozenset[str]:
        return frozenset({"embed"} if self.by.embedder else ())

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        chance = await self._embedded(ctx) if self.by.embedder else self.chance(ctx.question.text)
        if chance is None:
            return
        case = self.by.cases[chance > self.by.threshold]
        made = Candidate(case, ctx.answer.read(case), Origin(ctx.step, 0))
        yield made.scored("router", chance)

    async def _embedded(self, ctx: Context) -> float | None:
        """The chance by the question's embedding; None where there is none that can be used."""
        reply = await embedded(self, ctx, ctx.question.text)
        found = unit(reply.values)
        if found is None or len(found) != self.by.buckets:
            ctx.count_unreadable(reply, f"it holds no embedding of {self.by.buckets} numbers")
            return None
        return self.chance_of(dict(enumerate(found)))

    def chance(self, text: str) -> float:
        """The chance that a question needs the second case, by its words."""
        return self.chance_of(features(text, self.by.buckets))

    def chance_of(self, found: Mapping[int, float]) -> float:
        """The chance by features that are not 0."""
        told = self.by.coefficients
        total = self.by.intercept + sum(told.get(at, 0.0) * value for at, value in found.items())
        return 1 / (1 + exp(-total)) if total >= 0 else exp(total) / (1 + exp(total))


def unit(values: Sequence[float]) -> list[float] | None:
    """An embedding at length 1; None where that cannot be told.

    >>> unit((3.0, 4.0))
    [0.6, 0.8]
    """
    length = sqrt(sum(value * value for value in values))
    return [value / length for value in values] if length and isfinite(length) else None
