"""Take the first candidates to arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..compiler.op import All, Context, Flow, Mismatch, Reading, Stream
from ..compiler.values import Candidate

__all__ = ["Race"]


class Race(All):
    """Take the first candidates to arrive.

    Yields the `first` candidates that arrive, in the order of arrival, and cancels the work on all
    others, whose tokens are charged. Those that arrive at one instant count in index order. Its
    decision depends on timing, as only that of `watch` does besides. Asks nobody, adds nothing.

    With a vote behind it: short-m@k of Don't Overthink it (Hassid et al., 2025).
    """

    reading: ClassVar[Reading] = "arrival"

    first: Annotated[int, Field(ge=1)] = 1
    """How many are taken."""

    def keeps(self) -> Literal["none", "some", "all"]:
        return "some"

    def flow(self, given: Flow) -> Flow:
        if given.count.high == 0:
            raise Mismatch("a race of nobody")
        if self.first > given.count.high:
            told = f"of at most {given.count.high} candidates there is no first {self.first}"
            raise Mismatch(told, "first")
        return given.with_count(min(self.first, given.count.low), self.first)

    def least(self, given: Flow) -> int:
        return min(self.first, given.count.low)

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        arrived = 0
        async for candidate in given:
            yield candidate
            arrived += 1
            if arrived == self.first:
                ctx.note("race", read=arrived, stopped=given.left > 0)
                await given.aclose()
                return
