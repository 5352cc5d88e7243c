"""Write a critique of each candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

from ..compiler.model import Capability
from ..compiler.op import Amount, Asking, Calls, Context, Each, Flow, Shown
from ..compiler.values import Candidate, Purpose
from ._asks import PARSED, Form, Said, completion, with_repair

__all__ = ["PROMPT", "Criticism", "Critique"]

PROMPT = """\
Here are a question and one answer to it.

### Question
{question}

### Answer
{candidate}

Judge the answer as a careful expert would. Redo its decisive steps yourself; say what holds, what \
is wrong or missing and where, and what would repair it. Do not write a new answer.

Reply with one JSON object and nothing else: {"critique": "what you found"}"""
"""Asks for one critique of one candidate."""


class Criticism(Form):
    """What a critic says of one candidate."""

    critique: Said


class Critique(Asking, Each):
    """Write a critique of each candidate.

    Asks once about each candidate as it arrives. Adds the note `critique`, which stays with its
    candidate through every later step; an earlier critique is replaced. A critique that cannot be
    read, after one repair turn, is counted, and its candidate goes on without the note: what reads
    critiques takes it as having none.

    The critic of Archon (Saad-Falcon et al., 2024), one candidate a call; `critique_all` shows
    all of them in one.
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question", "candidate"})
    required: ClassVar[frozenset[str]] = frozenset({"candidate"})
    default_prompt: ClassVar[str] = PROMPT
    movable: ClassVar[bool] = True

    def flow(self, given: Flow) -> Flow:
        """The note is promised although a reply may be unreadable. `tokens` grow by the critique:
        what shows a candidate may show its critique too."""
        tokens = given.tokens + Amount(0, completion(self).high)
        return replace(given.adding(notes=("critique",)), tokens=tokens)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        return (with_repair(self.prices(given, given.count, shown=Amount(1, 1))),)

    def prefers(self) -> Mapping[Capability, str]:
        return PARSED

    def keeps(self) -> Literal["none", "some", "all"]:
        return "all"

    def shows(self, given: Flow) -> Mapping[str, Shown]:
        return {"candidate": Shown(given.count.high)}

    def roles(self) -> frozenset[str]:
        return frozenset({"critique"})

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        asked = await ctx.ask(
            self,
            ctx.fill(self, candidate=candidate.text),
            Purpose("critique", ctx.question.text, (candidate.text,)),
            Criticism,
            index=candidate.origin.index,
        )
        candidate = candidate.charged(asked.usage)
        if asked.value is None:
            return candidate
        return candidate.noted("critique", asked.value.critique)
