"""Methods of `verify` that ask a judge for a verdict on the whole candidate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from ..compiler.op import Context
from ..compiler.values import Candidate, Purpose, Usage
from ._asks import Form, nth
from ._fields import field_of
from ._verify import Check, Found, Judged, Method

if TYPE_CHECKING:
    from .verify import Verify

__all__ = ["ENTAILMENT", "JUDGE", "Entailed", "Entailment", "Judge", "Verdict"]

JUDGE = """\
Here are a question and an answer that someone gave to it.

### Question
{question}

### Answer
{candidate}

Find out whether the answer is right. Check it step by step: work each step out again yourself, \
compare, and name the first step that fails, if one does. An answer that is not complete is wrong.

Reply with one JSON object and nothing else: \
{"reason": "your check, step by step", "verdict": "right" or "wrong"}"""
"""Asks for a verdict on one candidate."""

ENTAILMENT = """\
Here are a source, a question, and an answer that someone gave to the question.

### Source
{source}

### Question
{question}

### Answer
{candidate}

Does the source entail the answer? Go by the source alone, not by what you know otherwise. The \
answer is entailed if everything that it claims follows from the source, contradicted if the \
source says otherwise of anything that it claims, and neutral if neither holds.

Reply with one JSON object and nothing else: \
{"reason": "what decides it", "verdict": "entailed" or "contradicted" or "neutral"}"""
"""Asks whether a source entails one candidate."""


class Verdict(Form):
    """What a judge finds."""

    reason: str
    verdict: Literal["right", "wrong"]


class Entailed(Form):
    """What a source says of a candidate."""

    reason: str
    verdict: Literal["entailed", "contradicted", "neutral"]


class Judge(Method):
    """A judge says right or wrong, `votes` times."""

    prompt: ClassVar[str] = JUDGE
    takes: ClassVar[frozenset[str]] = frozenset({"votes"})

    def roles(self, op: Verify) -> frozenset[str]:
        return frozenset({"verify"})

    async def found(self, op: Verify, ctx: Context, candidate: Candidate) -> Found:
        text = ctx.fill(op, candidate=candidate.text)
        purpose = Purpose("verify", ctx.question.text, (candidate.text,))
        asked = await ctx.together(
            [
                ctx.ask(op, text, purpose, Verdict, index=nth(candidate.origin.index, vote))
                for vote in range(op.votes)
            ]
        )
        checks = [_unreadable() if a.value is None else _judged(a.value) for a in asked]
        return Found(tuple(checks), sum((one.usage for one in asked), Usage()))


def _judged(said: Verdict) -> Check:
    return Check(said.verdict, said.reason)


class Entailment(Method):
    """A judge says whether the source entails the candidate, `votes` times; only that is right."""

    prompt: ClassVar[str] = ENTAILMENT
    shown: ClassVar[frozenset[str]] = frozenset({"question", "candidate", "source"})
    required: ClassVar[frozenset[str]] = frozenset({"candidate", "source"})
    takes: ClassVar[frozenset[str]] = frozenset({"votes", "source"})
    needs: ClassVar[frozenset[str]] = frozenset({"source"})

    def roles(self, op: Verify) -> frozenset[str]:
        return frozenset({"entail"})

    async def found(self, op: Verify, ctx: Context, candidate: Candidate) -> Found:
        assert op.source is not None
        source = _told(field_of(ctx, op.source, "a source"))
        text = ctx.fill(op, candidate=candidate.text, source=source)
        purpose = Purpose("entail", ctx.question.text, (candidate.text,))
        asked = await ctx.together(
            [
                ctx.ask(op, text, purpose, Entailed, index=nth(candidate.origin.index, vote))
                for vote in range(op.votes)
            ]
        )
        checks = [_unreadable() if a.value is None else _entailed(a.value) for a in asked]
        usage = sum((one.usage for one in asked), Usage())
        return Found(tuple(checks), usage, listed=True)


def _entailed(said: Entailed) -> Check:
    verdict: Judged = "right" if said.verdict == "entailed" else "wrong"
    return Check(verdict, said.reason, said.verdict)


def _unreadable() -> Check:
    return Check("unreadable")


def _told(source: object) -> str:
    """A source as a judge is shown it; a list of passages with their numbers, from 1."""
    if isinstance(source, Sequence) and not isinstance(source, str):
        return "\n\n".join(f"[{number}] {part}" for number, part in enumerate(source, start=1))
    return str(source)
