"""Write new answers out of all candidates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..compiler.op import (
    All,
    Amount,
    Asking,
    Calls,
    Context,
    Flow,
    Mismatch,
    Shown,
    Stream,
)
from ..compiler.values import Candidate, Purpose
from ._asks import answering, completion, framed, numbered

__all__ = ["PROMPT", "Fuse"]

PROMPT = """\
Here are a question and several answers to it, numbered, some with a critique. Any of them may be \
wrong, even all.

### Question
{question}

{candidates}

Answer the question yourself, making use of these answers. Where they agree, check that they are \
right; where they differ, work out which holds. Take over what is right and best said, leave out \
what is not. Write one complete answer that stands on its own, in the form that the question asks \
for; do not mention the given answers."""
"""Asks for one answer made from all."""


class Fuse(Asking, All):
    """Write new answers out of all candidates.

    Reads everything, shows the question and all candidates in index order, each with its note
    `critique` if it has one, and draws `n` answers. These are new candidates with all that was
    shown as parents, without the scores and notes of those. The system messages and images of the
    question go along. Nothing is parsed but the answer, by the pipeline's `answer:`; with no
    candidate left at run time, nothing comes out.

    The fuser of Archon (Saad-Falcon et al., 2024); the aggregator of Mixture-of-Agents (Wang et
    al., 2024).
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question", "candidates"})
    required: ClassVar[frozenset[str]] = frozenset({"candidates"})
    default_prompt: ClassVar[str] = PROMPT
    movable: ClassVar[bool] = True
    verbatim: ClassVar[bool] = True

    n: Annotated[int, Field(ge=1)] = 1
    """How many fused answers."""

    def flow(self, given: Flow) -> Flow:
        if given.count.high == 0:
            raise Mismatch("a fuse over nothing")
        if given.count.high == 1 and "critique" not in given.notes:
            raise Mismatch("a fuse over one candidate without a critique: nothing to fuse")
        low = self.n if given.count.low else 0
        return Flow(Amount(low, self.n), tokens=completion(self), question=given.question)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        count = Amount(self.n if given.count.low else 0, self.n)
        return (self.prices(framed(given), count, shown=given.count),)

    def shows(self, given: Flow) -> Mapping[str, Shown]:
        what: Literal["texts", "both"] = "both" if "critique" in given.notes else "texts"
        return {"candidates": Shown(1, given.count.high, what)}

    def roles(self) -> frozenset[str]:
        return frozenset({"fuse"})

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        candidates = await given.all()
        if not candidates:
            return
        text = ctx.fill(self, candidates=numbered(candidates, critiques=True))
        purpose = Purpose("fuse", ctx.question.text, tuple(c.text for c in candidates))
        messages = answering(ctx.question, text)
        for reply in await ctx.sample(self, messages, purpose, range(self.n)):
            yield ctx.candidate(reply, index=reply.index, parents=candidates)
