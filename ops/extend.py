"""Go on writing each candidate from where it ended."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..compiler.model import Capability
from ..compiler.op import Amount, Asking, Calls, Context, Each, Flow, Wishes
from ..compiler.values import Candidate, Purpose
from ._asks import chat, completion
from ._cutting import CUT, cut_behind

__all__ = ["Extend"]


class Extend(Asking, Each):
    """Go on writing each candidate from where it ended.

    The model gets what `generate` would give it, and the candidate's text as the beginning of its
    own reply, with `insert` behind it. What comes is a new candidate: the old text, what was
    inserted and the reply, as one; its answer is read anew, its parent is the old one, and it has
    no scores and notes, since they were about another text. The model need not be the one that
    wrote the beginning. If nothing comes, the text stays as it was.

    A candidate that was cut short, by its `max_tokens` or by `until`, goes on; one that ended by
    itself is let through as it is, unless `whom: all`. With `until`, the text is cut behind the
    first of these texts that is new, be it in part; what was drawn behind it is lost, so that
    `max_tokens` bounds the waste. What was cut has `finish` length: another `extend` goes on there.

    The parts of Adaptive Inference-Time Compute (Manvi et al., 2024), Elastic Reasoning (Xu et al.,
    2025), SpecReason (Pan et al., 2025) and Speculative Thinking (Yang et al., 2025).
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question"})

    insert: str = ""
    """Text that is put behind the candidate first."""
    whom: Literal["cut", "all"] = "cut"
    """Which candidates go on: those that were cut short, or all."""
    until: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Texts behind which it is cut."""

    def flow(self, given: Flow) -> Flow:
        own = Amount(0, len(self.insert) // 4 + 1)
        tokens = given.tokens + own + Amount(0, completion(self).high)
        return Flow(given.count, tokens=tokens, question=given.question)

    def asks(self) -> frozenset[Capability]:
        return super().asks() | {Capability.CONTINUATION}

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        low = given.count.low if self.whom == "all" else 0
        count = Amount(low, given.count.high)
        return (self.prices(given, count, shown=Amount(1, 1)),)

    def roles(self) -> frozenset[str]:
        return frozenset({"solve"})

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        if self.whom == "cut" and candidate.finish != CUT:
            return candidate
        index = candidate.origin.index
        begun = candidate.text + self.insert
        purpose, draws = Purpose("solve", ctx.question.text), range(index, index + 1)
        (reply,) = await ctx.sample(self, chat(self, ctx), purpose, draws, Wishes(begun))
        text = begun if reply.text else candidate.text
        whole = cut_behind(reply, text, self.until)
        return ctx.candidate(whole, index=index, parents=(candidate,))
