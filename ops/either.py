"""Take the candidates of the first step that gives any."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar, Literal

from ..compiler.op import All, Context, Flow, Mismatch, Reading, Stream
from ..compiler.values import Candidate

__all__ = ["Either"]


class Either(All):
    """Take the candidates of the first step that gives any.

    Reads the steps in `from:` one after the other, and a later one only when all before it gave
    nothing: what nobody needs is not asked for. Yields the candidates of the first that gives any,
    in index order. Asks nobody, adds nothing.
    """

    reading: ClassVar[Reading] = "first"
    passes_on: ClassVar[bool] = True

    def keeps(self) -> Literal["none", "some", "all"]:
        return "some"

    def flow(self, given: Flow) -> Flow:
        if given.count.high == 0:
            raise Mismatch("a choice of nothing")
        return given

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        chosen = -1
        async for candidate in given:
            if chosen not in (-1, given.part):
                await given.aclose()
                return
            chosen = given.part
            yield candidate
