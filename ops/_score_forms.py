"""The methods of `score` in which a judge fills in a form: a grade, or a checklist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from ..compiler.model import Capability
from ..compiler.op import Amount, Calls, Context, Flow
from ..compiler.values import Candidate, Json, Purpose, Usage
from ._asks import PARSED, Form, Said, with_repair
from ._score import Found, Method

if TYPE_CHECKING:
    from .score import Score

__all__ = ["CHECKS", "GRADE", "WRITE_CHECKS", "Checked", "Checklist", "Grade", "Graded", "Written"]

GRADE = """\
Here are a question and an answer that someone gave to it.

### Question
{question}

### Answer
{candidate}

Grade the answer from 0 (worthless) to 10 (could not be better). A correct answer is better than a \
wrong one, whatever else.

Reply with one JSON object and nothing else: {"reason": "what decides it", "score": 0 to 10}"""
"""Asks for a grade."""

CHECKS = """\
Here are a question, an answer that someone gave to it, and a checklist for answers to it.

### Question
{question}

### Answer
{candidate}

### Checklist
{checklist}

Which points does the answer meet? Look at each point by itself.

Reply with one JSON object and nothing else; its list says of every point in turn whether it is \
met: {"reason": "what decides it", "met": [true, false, …]}"""
"""Asks which points of a checklist a candidate meets."""

WRITE_CHECKS = """\
Here is a question.

### Question
{question}

Write a checklist for answers to it, without answering it: what a right and complete answer must \
do, each point once, in a sentence that can be understood and checked without the others; the most \
important first, %d at most.

Reply with one JSON object and nothing else: {"checklist": ["…", …]}"""
"""Asks for the checklist of a question."""


class Graded(Form):
    """How good a candidate is."""

    reason: str
    score: float = Field(ge=0, le=10, allow_inf_nan=False)


class Checked(Form):
    """Which points of a checklist are met."""

    reason: str
    met: tuple[bool, ...]


class Written(Form):
    """A checklist."""

    checklist: tuple[Said, ...]


class _Judging(Method):
    """A judge is shown the candidate and fills in a form."""

    shown: ClassVar[frozenset[str]] = frozenset({"question", "candidate"})
    required: ClassVar[frozenset[str]] = frozenset({"candidate"})
    prefers: ClassVar[Mapping[Capability, str]] = PARSED
    writes: ClassVar[bool] = True


class Grade(_Judging):
    """The judge grades from 0 to 10."""

    prompt: ClassVar[str] = GRADE

    def roles(self, op: Score) -> frozenset[str]:
        return frozenset({"score"})

    def calls(self, op: Score, given: Flow) -> tuple[Calls, ...]:
        return (with_repair(op.prices(given, given.count, shown=Amount(1, 1))),)

    async def found(self, op: Score, ctx: Context, candidate: Candidate) -> Found:
        asked = await ctx.ask(
            op,
            ctx.fill(op, candidate=candidate.text),
            Purpose("score", ctx.question.text, (candidate.text,)),
            Graded,
            index=candidate.origin.index,
        )
        if asked.value is None:
            return Found(None, asked.usage)
        return Found(asked.value.score / 10, asked.usage)


class Checklist(_Judging):
    """The judge says which points of a checklist are met; they are given, or written once."""

    prompt: ClassVar[str] = CHECKS
    shown: ClassVar[frozenset[str]] = frozenset({"question", "candidate", "checklist"})
    required: ClassVar[frozenset[str]] = frozenset({"candidate", "checklist"})
    takes: ClassVar[frozenset[str]] = frozenset({"checklist", "most"})
    notes: ClassVar[frozenset[str]] = frozenset({"checklist"})

    def roles(self, op: Score) -> frozenset[str]:
        return frozenset({"check_all"} if op.checklist else {"check_all", "write_checklist"})

    def calls(self, op: Score, given: Flow) -> tuple[Calls, ...]:
        if op.checklist:
            return (self._checking(op, given, given.count),)
        once = Amount(min(1, given.count.low), min(1, given.count.high))
        writing = with_repair(_writing(op).prices(given, once))
        # Nobody is asked about an empty checklist.
        checking = self._checking(op, given, Amount(0, given.count.high))
        deep = Amount(once.low, checking.depth.high + writing.depth.high)
        return replace(checking, depth=deep), writing

    def _checking(self, op: Score, given: Flow, count: Amount) -> Calls:
        calls = op.prices(given, count, shown=Amount(1, 1))
        listed = sum(len(point) for point in op.checklist) // 4
        points = Amount(listed, listed) if listed else Amount(0, op.max_tokens or 1)
        return with_repair(replace(calls, prompt=calls.prompt + points))

    async def found(self, op: Score, ctx: Context, candidate: Candidate) -> Found:
        points = op.checklist or await ctx.once("checklist", lambda step: _written(op, step))
        if not points:
            return Found(None, Usage())

        def check(form: Checked) -> str:
            said, wanted = len(form.met), len(points)
            return "" if said == wanted else f"`met` has {said} values for {wanted} points"

        asked = await ctx.ask(
            op,
            ctx.fill(op, candidate=candidate.text, checklist=_numbered(points)),
            Purpose("check_all", ctx.question.text, (candidate.text, *points)),
            Checked,
            index=candidate.origin.index,
            check=check,
        )
        if asked.value is None:
            return Found(None, asked.usage)
        met = asked.value.met
        note: list[Json] = [[point, one] for point, one in zip(points, met, strict=True)]
        return Found(sum(met) / len(met), asked.usage, note)


def _numbered(points: tuple[str, ...]) -> str:
    return "\n".join(f"{number}. {point}" for number, point in enumerate(points, start=1))


def _writing(op: Score) -> Score:
    return op.model_copy(update={"prompt": WRITE_CHECKS % op.most})


async def _written(op: Score, ctx: Context) -> tuple[str, ...]:
    """The checklist that the judge writes for the question; none if it cannot be read."""

    def check(form: Written) -> str:
        many = len(form.checklist)
        return f"{many} points, more than {op.most}" if many > op.most else ""

    writing = _writing(op)
    purpose = Purpose("write_checklist", ctx.question.text)
    asked = await ctx.ask(writing, ctx.fill(writing), purpose, Written, index=0, check=check)
    points = tuple(dict.fromkeys(asked.value.checklist)) if asked.value else ()
    ctx.note("checklist", checklist=points)
    return points
