"""Write a critique of every candidate in one call."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import ClassVar, Literal

from ..compiler.model import Capability
from ..compiler.op import All, Amount, Asking, Calls, Context, Flow, Mismatch, Shown, Stream
from ..compiler.values import Candidate, Purpose
from ._asks import PARSED, Form, Said, completion, framed, numbered, with_repair

__all__ = ["PROMPT", "Criticisms", "CritiqueAll", "NumberedCriticism"]

PROMPT = """\
Here are a question and several answers to it, numbered.

### Question
{question}

{candidates}

Judge each answer as a careful expert would, and against the others: where they disagree, find out \
who is right. For each, say what holds, what is wrong or missing and where. Do not write a new \
answer.

Reply with one JSON object and nothing else, with exactly one critique for each number: \
{"critiques": [{"candidate": 1, "critique": "what you found"}, …]}"""
"""Asks for the critiques of all candidates at once."""


class NumberedCriticism(Form):
    """What a critic says of the candidate of that number."""

    candidate: int
    critique: Said


class Criticisms(Form):
    """What a critic says of all candidates."""

    critiques: tuple[NumberedCriticism, ...]


class CritiqueAll(Asking, All):
    """Write a critique of every candidate in one call.

    Reads all candidates, shows them together and adds the note `critique` to each; the order stays.
    A reply must hold exactly one critique for every number. If one is missing, doubled or of no
    candidate, one repair turn is asked for; after it, the candidates with one critique keep theirs
    and the others go on without, counted in the trace. An earlier critique is replaced where there
    is a new one.

    The joint critique of patched MOA (Sharma, 2024) and the critic of Archon (Saad-Falcon et al.,
    2024); `critique` asks about one candidate at a time.
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question", "candidates"})
    required: ClassVar[frozenset[str]] = frozenset({"candidates"})
    default_prompt: ClassVar[str] = PROMPT
    movable: ClassVar[bool] = True

    def flow(self, given: Flow) -> Flow:
        """As for `critique`; together the critiques are as long as one completion."""
        if given.count.high == 0:
            raise Mismatch("a critique over nothing")
        tokens = given.tokens + Amount(0, completion(self).high)
        return replace(given.adding(notes=("critique",)), tokens=tokens)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        count = Amount(min(1, given.count.low), 1)
        return (with_repair(self.prices(framed(given), count, shown=given.count)),)

    def prefers(self) -> Mapping[Capability, str]:
        return PARSED

    def keeps(self) -> Literal["none", "some", "all"]:
        return "all"

    def shows(self, given: Flow) -> Mapping[str, Shown]:
        return {"candidates": Shown(1, given.count.high)}

    def roles(self) -> frozenset[str]:
        return frozenset({"critique_all"})

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        candidates = await given.all()
        if not candidates:
            return
        critiques = await self._critiques(ctx, candidates)
        lacking = [c.origin.key for n, c in enumerate(candidates, 1) if n not in critiques]
        if lacking:
            ctx.note("no critique", candidates=lacking)
        for number, candidate in enumerate(candidates, start=1):
            if number in critiques:
                candidate = candidate.noted("critique", critiques[number])
            yield candidate

    async def _critiques(self, ctx: Context, candidates: list[Candidate]) -> Mapping[int, str]:
        """The critiques by number: those of the last reply that names its candidate once."""
        seen: list[Criticisms] = []

        def check(form: Criticisms) -> str:
            seen.append(form)
            return _complaint(form, len(candidates))

        await ctx.ask(
            self,
            ctx.fill(self, candidates=numbered(candidates)),
            Purpose("critique_all", ctx.question.text, tuple(c.text for c in candidates)),
            Criticisms,
            index=0,
            check=check,
        )
        if not seen:
            return {}
        times = Counter(c.candidate for c in seen[-1].critiques)
        return {c.candidate: c.critique for c in seen[-1].critiques if times[c.candidate] == 1}


def _complaint(form: Criticisms, count: int) -> str:
    """What is wrong with a form about `count` candidates, or ""."""
    times = Counter(c.candidate for c in form.critiques)
    wrong = {
        "no critique of candidate": [n for n in range(1, count + 1) if n not in times],
        "more than one critique of candidate": sorted(n for n in times if times[n] > 1),
        "there is no candidate": sorted(n for n in times if not 1 <= n <= count),
    }
    return "; ".join(f"{what} {', '.join(map(str, who))}" for what, who in wrong.items() if who)
