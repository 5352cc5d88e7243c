"""Methods of `verify` that have a model write a program about a candidate, and run it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from ..compiler.execution import Outcome, Script
from ..compiler.op import Amount, Asking, Calls, Context, Flow, Reply
from ..compiler.values import Candidate, Purpose, Usage
from ._asks import answering, nth
from ._runs import TOLD, code_in, happened
from ._verify import Check, Found, Method

if TYPE_CHECKING:
    from .verify import Verify

__all__ = ["CHECK", "REPAIR", "TRANSLATE", "Checking", "Translation"]

CHECK = """\
Here are a question and an answer that someone gave to it.

### Question
{question}

### Answer
{candidate}

Write a Python program that finds out whether the answer is right: by working the question out \
itself, or by trying the answer against everything that the question demands. Take nothing from \
the answer but what it claims. The program may print what it finds; its last line must be the one \
word right or the one word wrong. Use the standard library alone and read no input.

Reply with the program in one fenced code block."""
"""Asks for a program that checks one candidate."""

TRANSLATE = """\
Here are a question and a solution that someone wrote.

### Question
{question}

### Solution
{candidate}

Write the solution as a Python program: every step of it as it stands, be it right or wrong, with \
every number worked out by the program from those in the question. Do not copy results. The \
program must print the answer that it comes to and nothing else. Use the standard library alone \
and read no input.

Reply with the program in one fenced code block."""
"""Asks for one candidate as a program."""

REPAIR = """\
{task}

### What was written
{program}

### What happened when it ran
{outcome}

Find the mistake and write the whole program again, in one fenced code block."""
"""Asks for a program again, in the light of what happened."""


class _ByProgram(Method):
    """A model writes a program, `votes` times, and each once more if it tells nothing."""

    takes: ClassVar[frozenset[str]] = frozenset({"votes", "seconds", "memory", "sandbox"})
    role: ClassVar[str]
    lacks: ClassVar[str]
    """What is wrong with what a program printed that cannot be read."""

    def roles(self, op: Verify) -> frozenset[str]:
        return frozenset({self.role, "repair"})

    def calls(self, op: Verify, given: Flow) -> tuple[Calls, ...]:
        (calls,) = super().calls(op, given)
        prompt = calls.prompt + Amount(0, TOLD + len(REPAIR) // 4)
        return (replace(calls, prompt=prompt),)

    async def found(self, op: Verify, ctx: Context, candidate: Candidate) -> Found:
        found = await ctx.together(
            [self._vote(op, ctx, candidate, vote) for vote in range(op.votes)]
        )
        usage = sum((usage for _, usage in found), Usage())
        return Found(tuple(check for check, _ in found), usage, listed=True)

    @abstractmethod
    def read(self, ctx: Context, candidate: Candidate, printed: str) -> Check | None:
        """The verdict in what a program printed; None if there is none."""

    async def _vote(
        self, op: Verify, ctx: Context, candidate: Candidate, vote: int
    ) -> tuple[Check, Usage]:
        task = ctx.fill(op, candidate=candidate.text)
        text, spent, told = task, Usage(), ""
        for turn in (0, 1):
            role = "repair" if turn else self.role
            index = 2 * nth(candidate.origin.index, vote) + turn
            reply = await _drawn(op, ctx, candidate, text, role, index)
            outcome = await _ran(op, ctx, code_in(reply.text))
            spent += reply.usage + Usage(seconds=outcome.seconds if outcome else 0.0)
            if outcome is not None and outcome.passed:
                check = self.read(ctx, candidate, outcome.stdout)
                if check is not None:
                    return check, spent
            told = happened(outcome, self.lacks)
            text = _repairing(ctx, op, task, reply.text, told)
        ctx.count_unreadable(reply, told)
        return Check("unreadable", told), spent


async def _drawn(
    op: Asking, ctx: Context, candidate: Candidate, text: str, role: str, index: int
) -> Reply:
    purpose = Purpose(role, ctx.question.text, (candidate.text,))
    draws = range(index, index + 1)
    (reply,) = await ctx.sample(op, answering(ctx.question, text), purpose, draws)
    return reply


async def _ran(op: Verify, ctx: Context, source: str | None) -> Outcome | None:
    if source is None:
        return None
    return await ctx.execute(Script(source), op.limits(), confined=op.sandbox != "none")


def _repairing(ctx: Context, op: Verify, task: str, program: str, outcome: str) -> str:
    repairing = op.model_copy(update={"prompt": REPAIR})
    return ctx.fill(repairing, task=task, program=program, outcome=outcome)


class Checking(_ByProgram):
    """A program checks the candidate, and prints right or wrong."""

    prompt: ClassVar[str] = CHECK
    role: ClassVar[str] = "write_check"
    lacks: ClassVar[str] = "Its last line should have been the one word right or wrong"

    def read(self, ctx: Context, candidate: Candidate, printed: str) -> Check | None:
        lines = printed.strip().splitlines()
        match lines[-1].strip().lower() if lines else "":
            case "right":
                return Check("right", "\n".join(lines[:-1]))
            case "wrong":
                return Check("wrong", "\n".join(lines[:-1]))
        return None


class Translation(_ByProgram):
    """The candidate's own steps, as a program, come to its answer."""

    prompt: ClassVar[str] = TRANSLATE
    role: ClassVar[str] = "translate"
    lacks: ClassVar[str] = "It printed no answer that could be read"

    def calls(self, op: Verify, given: Flow) -> tuple[Calls, ...]:
        (calls,) = super().calls(op, given)  # none for a candidate without an answer
        return (replace(calls, count=Amount(0, calls.count.high), depth=_from_none(calls.depth)),)

    async def found(self, op: Verify, ctx: Context, candidate: Candidate) -> Found:
        if candidate.answer is None:
            return Found((), Usage(), listed=True, why="it holds no answer")
        return await super().found(op, ctx, candidate)

    def read(self, ctx: Context, candidate: Candidate, printed: str) -> Check | None:
        answer = ctx.answer.read(printed)
        if answer is None or candidate.answer is None:
            return None
        same = ctx.answer.same(answer, candidate.answer)
        return Check("right" if same else "wrong", f"the program comes to {answer.text}")


def _from_none(depth: Amount) -> Amount:
    return Amount(0, depth.high)
