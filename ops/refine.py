"""Rewrite each candidate in the light of its critique."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import model_validator

from ..compiler.op import Amount, Asking, Calls, Context, Each, Flow, Shown
from ..compiler.values import Candidate, Purpose
from ._asks import answering, completion

__all__ = ["NO_ANSWER", "NO_CRITIQUE", "PROMPT", "Refine"]

PROMPT = """\
Here are a question, an answer to it, and a critique of the answer.

### Question
{question}

### Answer
{candidate}

### Critique
{critique}

Answer the question anew. Keep what is right, repair what is wrong, and do not follow the \
critique where it is mistaken. Write a complete answer that stands on its own, in the form that \
the question asks for; mention neither the earlier answer nor the critique."""
"""Asks for a better answer."""

NO_ANSWER = "(none)"
"""Stands for the answer of a candidate that has none."""

NO_CRITIQUE = "None was given. Look for mistakes yourself before you answer."
"""Stands for the critique of a candidate that carries none."""


class Refine(Asking, Each):
    """Rewrite each candidate in the light of its critique.

    Shows the question, the candidate and its note `critique`, if it has one, and draws one answer.
    That answer is a new candidate, numbered as the old one and naming it as its parent; it
    inherits no scores and no notes, since they were about another text. The system messages and
    images of the question go along. Nothing is parsed but the answer, by the pipeline's `answer:`.
    A prompt must show the candidate, or its `{answer}` alone: then that is a hint for a new draw,
    and a loop of such turns takes the answers' distribution where hints lead it.

    Self-Refine (Madaan et al., 2023); with hints, Hint Marginalization (Pal et al., 2024).
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question", "candidate", "critique", "answer"})
    default_prompt: ClassVar[str] = PROMPT
    movable: ClassVar[bool] = True
    verbatim: ClassVar[bool] = True

    @model_validator(mode="after")
    def _shows_something(self) -> Self:
        shown = ("{candidate}", "{answer}")
        if self.prompt is not None and not any(name in self.prompt for name in shown):
            raise ValueError("a prompt shows the {candidate}, or its {answer}")
        return self

    def flow(self, given: Flow) -> Flow:
        return Flow(given.count, tokens=completion(self), question=given.question)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        return (self.prices(given, given.count, shown=Amount(1, 1)),)

    def shows(self, given: Flow) -> Mapping[str, Shown]:
        each = Shown(given.count.high)
        texts = {"candidate": each, "answer": each, "critique": Shown(1, what="notes")}
        return {name: shown for name, shown in texts.items() if f"{{{name}}}" in self.wording}

    def roles(self) -> frozenset[str]:
        return frozenset({"revise"})

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        critique = candidate.notes.get("critique")
        given = () if critique is None else (str(critique),)
        text = ctx.fill(
            self,
            candidate=candidate.text,
            answer=NO_ANSWER if candidate.answer is None else candidate.answer.text,
            critique=given[0] if given else NO_CRITIQUE,
        )
        index = candidate.origin.index
        purpose = Purpose("revise", ctx.question.text, (candidate.text, *given))
        messages = answering(ctx.question, text)
        (reply,) = await ctx.sample(self, messages, purpose, range(index, index + 1))
        return ctx.candidate(reply, index=index, parents=(candidate,))
