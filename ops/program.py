"""Run the program in each candidate; what it prints is the answer."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..compiler.execution import Outcome, Script
from ..compiler.op import Amount, Asking, Calls, Context, Each, Flow, Reply
from ..compiler.values import Candidate, Json, Purpose, Usage
from ._asks import answering, completion
from ._runs import TOLD, Runs, code_in, code_of, happened

__all__ = ["PROMPT", "Program"]

PROMPT = """\
Here are a question and a Python program that was written to print its answer.

### Question
{question}

### Program
{candidate}

### What happened when it ran
{outcome}

Find the mistake and write the whole program again, in one fenced code block. It must print the \
answer and nothing else, use the standard library alone and read no input."""
"""Asks for the program again, in the light of what happened."""


_LACKS = "It printed no answer that could be read"


class Program(Asking, Runs, Each):
    """Run the program in each candidate; what it prints is the answer.

    The program is the candidate's last fenced block, or its text if that is Python. It runs in a
    sandbox, as soon as the candidate is there. What comes out is a new candidate, with the old one
    as its parent: its text is what the program printed, its answer is read from that, and the note
    `program` holds the program, its verdict and how often it was repaired.

    A program that does not end well, or prints no readable answer, is shown to the model with what
    happened, which may write it again: `repairs` times, each one more call. What still has no
    answer then, or holds no program at all and cannot be repaired, becomes what `otherwise` says:
    `text` the candidate as it was, with the note, `drop` nothing.

    Program of Thoughts (Chen et al., 2022); PAL (Gao et al., 2022); with a general prompt, Natural
    Language Embedded Programs (Zhang et al., 2023).
    """

    effect = "acts"
    variables: ClassVar[frozenset[str]] = frozenset({"question", "candidate", "outcome"})
    required: ClassVar[frozenset[str]] = frozenset({"candidate", "outcome"})
    default_prompt: ClassVar[str] = PROMPT

    repairs: Annotated[int, Field(ge=0, le=8)] = 1
    """How often a program may be written again."""
    otherwise: Literal["text", "drop"] = "drop"
    """What becomes of a candidate whose program gives no answer."""

    def flow(self, given: Flow) -> Flow:
        out = given.adding(notes=("program",))
        return out.with_count(0 if self.otherwise == "drop" else given.count.low, given.count.high)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        if not self.repairs:
            return ()
        count = given.count * Amount(0, self.repairs)
        depth = Amount(0, self.repairs if given.count.high else 0)
        longest = Amount(given.tokens.low, max(given.tokens.high, completion(self).high))
        flow = Flow(given.count, tokens=longest + Amount(0, TOLD), question=given.question)
        return (self.prices(flow, count, shown=Amount(1, 1), depth=depth),)

    def roles(self) -> frozenset[str]:
        return frozenset({"repair"})

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        text, source, spent = candidate.text, code_of(candidate), Usage()
        for turn in range(self.repairs + 1):
            outcome = await self._ran(ctx, source)
            spent += Usage(seconds=outcome.seconds if outcome else 0.0)
            made = self._made(ctx, candidate, source, outcome, turn)
            if made is not None:
                return made.charged(spent)
            if turn < self.repairs:
                reply = await self._repaired(ctx, candidate, text, outcome, turn)
                spent += reply.usage
                text, source = reply.text, code_in(reply.text)
        note = _note(source, outcome, self.repairs)
        if self.otherwise == "drop":
            ctx.note("dropped", candidate=candidate.origin.key, program=note)
            return None
        return candidate.noted("program", note).charged(spent)

    async def _ran(self, ctx: Context, source: str | None) -> Outcome | None:
        if source is None:
            return None
        confined = self.sandbox != "none"
        return await ctx.execute(Script(source), self.limits(), confined=confined)

    def _made(
        self,
        ctx: Context,
        candidate: Candidate,
        source: str | None,
        outcome: Outcome | None,
        turn: int,
    ) -> Candidate | None:
        """The new candidate, if the program gave an answer."""
        if outcome is None or not outcome.passed:
            return None
        origin = candidate.origin
        reply = Reply(origin.index, outcome.stdout.strip(), origin.model, "stop", Usage())
        made = ctx.candidate(reply, index=origin.index, parents=(candidate,))
        return None if made.answer is None else made.noted("program", _note(source, outcome, turn))

    async def _repaired(
        self, ctx: Context, candidate: Candidate, text: str, outcome: Outcome | None, turn: int
    ) -> Reply:
        prompt = ctx.fill(self, candidate=text, outcome=happened(outcome, _LACKS))
        purpose = Purpose("repair", ctx.question.text, (text,))
        index = candidate.origin.index * 8 + turn
        draws = range(index, index + 1)
        (reply,) = await ctx.sample(self, answering(ctx.question, prompt), purpose, draws)
        return reply


def _note(source: str | None, outcome: Outcome | None, repaired: int) -> dict[str, Json]:
    return {
        "program": source,
        "verdict": "error" if outcome is None else str(outcome.verdict),
        "why": "it holds no program" if outcome is None else outcome.why,
        "repaired": repaired,
    }
