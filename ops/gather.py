"""Read several steps as one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar, Literal

from ..compiler.op import All, Context, Flow, Mismatch, Stream
from ..compiler.values import Candidate

__all__ = ["Gather"]


class Gather(All):
    """Read several steps as one.

    Yields the candidates of the steps in `from:`, in the order written, as they are. For several
    readers of the same selection, or as the result of a pipeline. Asks nobody, adds nothing.
    """

    passes_on: ClassVar[bool] = True

    def keeps(self) -> Literal["none", "some", "all"]:
        return "all"

    def flow(self, given: Flow) -> Flow:
        if given.count.high == 0:
            raise Mismatch("a collection of nothing")
        return given

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        async for candidate in given:
            yield candidate
