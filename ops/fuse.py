"""Write new answers out of all candidates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil
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
    Reply,
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

    With `most`, no call shows more candidates than that: neighbours are fused in groups as equal
    as can be, each group to one answer, and what comes of that again, until so few are left.

    The fuser of Archon (Saad-Falcon et al., 2024); the aggregator of Mixture-of-Agents (Wang et
    al., 2024). With `prompt`, the synthesizer of CoT-based Synthesizer (Zhang et al., 2025); a tree
    of fusions: Divide-and-Conquer Fusion (Chan et al., 2023), which merges densities so.
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question", "candidates"})
    required: ClassVar[frozenset[str]] = frozenset({"candidates"})
    default_prompt: ClassVar[str] = PROMPT
    movable: ClassVar[bool] = True
    verbatim: ClassVar[bool] = True

    n: Annotated[int, Field(ge=1)] = 1
    """How many fused answers."""
    most: Annotated[int, Field(ge=2)] | None = None
    """The most candidates that one call shows; None shows all in one."""

    def flow(self, given: Flow) -> Flow:
        if given.count.high == 0:
            raise Mismatch("a fuse over nothing")
        if given.count.high == 1 and "critique" not in given.notes:
            raise Mismatch("a fuse over one candidate without a critique: nothing to fuse")
        low = self.n if given.count.low else 0
        return Flow(Amount(low, self.n), tokens=completion(self), question=given.question)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        low, high = given.count.low, given.count.high
        fewest, shallow = self._merges(low)
        many, deep = self._merges(high)
        last = min(1, low)
        count = Amount(fewest + last * self.n, many + self.n)
        shown = Amount(min(1, low) if many else low, min(high, self.most or high))
        depth = Amount(shallow + last, deep + 1)
        if many:  # what was fused is shown as well
            longest = max(given.tokens.high, completion(self).high)
            given = replace(given, tokens=Amount(min(1, given.tokens.low), longest))
        return (self.prices(framed(given), count, shown=shown, depth=depth),)

    def _merges(self, count: int) -> tuple[int, int]:
        """How many calls fuse groups of so many candidates before the last, and in how many
        layers."""
        calls = layers = 0
        while self.most is not None and count > self.most:
            groups = ceil(count / self.most)
            # A group of one goes on as it is.
            calls += min(groups, count - groups)
            layers += 1
            count = groups
        return calls, layers

    def shows(self, given: Flow) -> Mapping[str, Shown]:
        what: Literal["texts", "both"] = "both" if "critique" in given.notes else "texts"
        of = min(given.count.high, self.most or given.count.high)
        return {"candidates": Shown(1, of, what)}

    def roles(self) -> frozenset[str]:
        return frozenset({"fuse"})

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        candidates = await given.all()
        if not candidates:
            return
        shown, made = candidates, self.n
        while self.most is not None and len(shown) > self.most:
            groups = _groups(shown, ceil(len(shown) / self.most))
            jobs = [self._merged(ctx, group, made + place) for place, group in enumerate(groups)]
            made += len(groups)
            shown = await ctx.together(jobs)
        for reply in await self._fused(ctx, shown, range(self.n)):
            yield ctx.candidate(reply, index=reply.index, parents=candidates)

    async def _merged(self, ctx: Context, group: Sequence[Candidate], index: int) -> Candidate:
        """One candidate made from a group, which is shown on the way and never comes out."""
        if len(group) == 1:
            return group[0]
        (reply,) = await self._fused(ctx, group, range(index, index + 1))
        return ctx.candidate(reply, index=index, parents=group)

    async def _fused(
        self, ctx: Context, shown: Sequence[Candidate], draws: range
    ) -> Sequence[Reply]:
        text = ctx.fill(self, candidates=numbered(shown, critiques=True))
        purpose = Purpose("fuse", ctx.question.text, tuple(c.text for c in shown))
        return await ctx.sample(self, answering(ctx.question, text), purpose, draws)


def _groups(candidates: Sequence[Candidate], count: int) -> list[Sequence[Candidate]]:
    """So many groups of neighbours, whose sizes differ by one at most."""
    ends = [len(candidates) * place // count for place in range(count + 1)]
    return [candidates[start:end] for start, end in pairwise(ends)]
