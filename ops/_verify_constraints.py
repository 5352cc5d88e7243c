"""The method of `verify` that asks whether a candidate meets constraints, one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from ..compiler.op import Amount, Calls, Context, Flow
from ..compiler.values import Candidate, Purpose, Usage
from ._asks import Form, Said, nth, with_repair
from ._verify import Check, Found, Method

if TYPE_CHECKING:
    from .verify import Verify

__all__ = ["CONSTRAINT", "TAKE", "Constraints", "Listed", "Meets"]

CONSTRAINT = """\
Here are a question, an answer that someone gave to it, and a constraint on the answer.

### Question
{question}

### Answer
{candidate}

### Constraint
{constraint}

Does the answer meet the constraint? Look at nothing but the constraint: an answer can meet it and \
be wrong otherwise.

Reply with one JSON object and nothing else: \
{"reason": "what decides it", "verdict": "met" or "not met"}"""
"""Asks for a verdict on one constraint."""

TAKE = """\
Here is a question.

### Question
{question}

List the constraints that it puts on its answer: what the answer must hold, must not do, or must \
look like. Take only what the question says, each constraint once, each in a sentence that can be \
understood and checked without the others; the most important first, %d at most.

Reply with one JSON object and nothing else: {"constraints": ["…", …]}"""
"""Asks for the constraints of a question."""


class Meets(Form):
    """Whether a candidate meets what was asked of it."""

    reason: str
    verdict: Literal["met", "not met"]


class Listed(Form):
    """The constraints in a question."""

    constraints: tuple[Said, ...]


class Constraints(Method):
    """Each constraint is met, or it is not; they are written, or taken from the question once."""

    prompt: ClassVar[str] = CONSTRAINT
    shown: ClassVar[frozenset[str]] = frozenset({"question", "candidate", "constraint"})
    required: ClassVar[frozenset[str]] = frozenset({"candidate", "constraint"})
    takes: ClassVar[frozenset[str]] = frozenset({"constraints", "most"})

    def roles(self, op: Verify) -> frozenset[str]:
        return frozenset({"check"} if op.constraints else {"check", "list_constraints"})

    def calls(self, op: Verify, given: Flow) -> tuple[Calls, ...]:
        many = len(op.constraints)
        count = given.count * (Amount(many, many) if many else Amount(0, op.most))
        calls = with_repair(op.prices(given, count, shown=Amount(1, 1)))
        if many:
            return (calls,)
        once = Amount(min(1, given.count.low), min(1, given.count.high))
        taking = with_repair(_taking(op).prices(given, once))
        depth = Amount(once.low, 2 * calls.depth.high)
        return (replace(calls, depth=depth), taking)

    async def found(self, op: Verify, ctx: Context, candidate: Candidate) -> Found:
        constraints = op.constraints or await ctx.once("constraints", lambda s: _taken(op, s))
        found = await ctx.together(
            [
                _checked(op, ctx, candidate, constraint, number)
                for number, constraint in enumerate(constraints)
            ]
        )
        usage = sum((usage for _, usage in found), Usage())
        return Found(tuple(c for c, _ in found), usage, listed=True, why="there are no constraints")


async def _checked(
    op: Verify, ctx: Context, candidate: Candidate, constraint: str, number: int
) -> tuple[Check, Usage]:
    asked = await ctx.ask(
        op,
        ctx.fill(op, candidate=candidate.text, constraint=constraint),
        Purpose("check", ctx.question.text, (candidate.text, constraint)),
        Meets,
        index=nth(candidate.origin.index, number),
    )
    if asked.value is None:
        return Check("unreadable", of=constraint), asked.usage
    met = asked.value.verdict == "met"
    return Check("right" if met else "wrong", asked.value.reason, constraint), asked.usage


def _taking(op: Verify) -> Verify:
    return op.model_copy(update={"prompt": TAKE % op.most})


async def _taken(op: Verify, ctx: Context) -> tuple[str, ...]:
    """The constraints that a model finds in the question; none if it cannot be read."""

    def check(form: Listed) -> str:
        many = len(form.constraints)
        return f"{many} constraints, more than {op.most}" if many > op.most else ""

    taking = _taking(op)
    purpose = Purpose("list_constraints", ctx.question.text)
    asked = await ctx.ask(taking, ctx.fill(taking), purpose, Listed, index=0, check=check)
    taken = tuple(dict.fromkeys(asked.value.constraints)) if asked.value else ()
    ctx.note("constraints", constraints=taken)
    return taken
