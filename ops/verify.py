"""Ask a judge whether each candidate is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ..compiler.model import Capability
from ..compiler.op import Amount, Asking, Calls, Context, Each, Flow, Shown
from ..compiler.values import Candidate, Json, Purpose, Usage
from ._asks import PARSED, Form, nth, with_repair

__all__ = ["PROMPT", "Verdict", "Verify"]

PROMPT = """\
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


class Verdict(Form):
    """What a judge finds."""

    reason: str
    verdict: Literal["right", "wrong"]


class Verify(Asking, Each):
    """Ask a judge whether each candidate is right.

    Asks `votes` times about each candidate as it arrives, independently. Adds the score `verify`,
    the share of readable verdicts that say right, and the note `verdict` with the counts of right,
    wrong and unreadable verdicts and the reason of the last readable one. A verdict that cannot be
    read, after one repair turn, is no verdict: it is counted and left out of the share; a candidate
    without any carries no score `verify`. With `keep_at`, candidates below it, or without a score,
    are dropped.

    Generative verification: Zhang et al. (2024); several verdicts a solution: When To Solve, When
    To Verify (Singhi et al., 2025); the verifier of Archon (Saad-Falcon et al., 2024).
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question", "candidate"})
    required: ClassVar[frozenset[str]] = frozenset({"candidate"})
    default_prompt: ClassVar[str] = PROMPT
    movable: ClassVar[bool] = True

    votes: Annotated[int, Field(ge=1)] = 1
    """How many verdicts on each candidate."""
    keep_at: Annotated[float, Field(ge=0, le=1)] | None = None
    """Drop candidates that score less; None keeps all."""

    def flow(self, given: Flow) -> Flow:
        """The score is promised although no verdict may be readable."""
        judged = given.adding(scores=("verify",), notes=("verdict",))
        return judged if self.keep_at is None else judged.with_count(0, given.count.high)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        count = given.count * Amount(self.votes, self.votes)
        return (with_repair(self.prices(given, count, shown=Amount(1, 1))),)

    def prefers(self) -> Mapping[Capability, str]:
        return PARSED

    def keeps(self) -> Literal["none", "some", "all"]:
        return "all" if self.keep_at is None else "some"

    def shows(self, given: Flow) -> Mapping[str, Shown]:
        return {"candidate": Shown(given.count.high)}

    def roles(self) -> frozenset[str]:
        return frozenset({"verify"})

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        text = ctx.fill(self, candidate=candidate.text)
        purpose = Purpose("verify", ctx.question.text, (candidate.text,))
        asked = await ctx.together(
            [
                ctx.ask(self, text, purpose, Verdict, index=nth(candidate.origin.index, vote))
                for vote in range(self.votes)
            ]
        )
        judged = _judged(candidate, [one.value for one in asked])
        judged = judged.charged(sum((one.usage for one in asked), Usage()))
        if self.keep_at is not None and judged.scores.get("verify", -1.0) < self.keep_at:
            ctx.note("dropped", candidate=candidate.origin.key, verdict=judged.notes["verdict"])
            return None
        return judged


def _judged(candidate: Candidate, verdicts: list[Verdict | None]) -> Candidate:
    """The candidate with its verdicts counted; without the score if none could be read."""
    read = [verdict for verdict in verdicts if verdict is not None]
    right = sum(verdict.verdict == "right" for verdict in read)
    note: dict[str, Json] = {
        "right": right,
        "wrong": len(read) - right,
        "unreadable": len(verdicts) - len(read),
        "reason": read[-1].reason if read else None,
    }
    # An earlier `verify` must not stand for this one.
    scores = {name: score for name, score in candidate.scores.items() if name != "verify"}
    if read:
        scores["verify"] = right / len(read)
    return candidate.but(scores=scores).noted("verdict", note)
