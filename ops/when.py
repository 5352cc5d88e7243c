"""Go on with candidates only when a condition holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from ..compiler.condition import Condition
from ..compiler.op import All, Context, Flow, Mismatch, Reading, Stream
from ..compiler.values import Candidate, Origin

__all__ = ["When"]


class When(All):
    """Go on with candidates only when a condition holds.

    Reads everything and yields it in index order, or nothing. `holds` is the condition under which
    candidates go on, `fails` the one under which they do not. Reading several steps, it judges and
    passes on the candidates of the last one; the condition `unchanged` compares them with those of
    the step before, and with `over: all` the condition looks at all of them. Asks nobody. At the
    end of a pipeline it abstains. With `signal`, where `fails` is written and there are no
    candidates at all, it gives one without a text: what waits for this step to give any then runs.
    """

    reading: ClassVar[Reading] = "last"

    holds: Condition | None = None
    """Go on if this holds of the candidates."""
    fails: Condition | None = None
    """Go on unless this holds of them."""
    over: Literal["last", "all"] = "last"
    """Of several steps, whether the condition looks at the last one's candidates or at all."""

    signal: bool = False
    """Whether it gives a candidate in place of none, for what only waits for it."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.holds is None) == (self.fails is None):
            raise ValueError("either `holds` or `fails`")
        if self.signal and self.fails is None:
            raise ValueError("`signal` goes with `fails`: of no candidates, nothing holds")
        return self

    @property
    def condition(self) -> Condition:
        """What is looked at."""
        found = self.holds or self.fails
        assert found is not None
        return found

    def keeps(self) -> Literal["none", "some", "all"]:
        return "all"

    def flow(self, given: Flow) -> Flow:
        if given.count.high == 0:
            raise Mismatch("a condition on nothing")
        self.condition.check(given, "fails" if self.holds is None else "holds")
        return given.with_count(0, given.count.high)

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        read: list[list[Candidate]] = [[] for _ in range(given.parts)]
        async for candidate in given:
            read[given.part].append(candidate)
        now = read[-1]
        before = read[-2] if len(read) > 1 else []
        looked_at = now if self.over == "last" else [c for part in read for c in part]
        held = self.condition.holds(ctx.answer, looked_at, before)
        goes_on = bool(now) and held == (self.fails is None)
        ctx.note("when", held=held, read=len(now), goes_on=goes_on)
        if goes_on:
            for candidate in now:
                yield candidate
        elif self.signal and not now:
            yield Candidate("", None, Origin(ctx.step, 0))
