"""Draw answers to a multiple-choice question, its choices in another order each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from string import ascii_uppercase
from typing import Annotated, ClassVar

from pydantic import Field

from ..compiler.answers import Answer
from ..compiler.op import Amount, Calls, Context, Drawing, Flow, Reply, Source
from ..compiler.values import Candidate, Purpose
from ._asks import answering, completion
from ._fields import field_of

__all__ = ["PROMPT", "Shuffle"]

PROMPT = """\
{question}

{choices}

Work it out step by step. End with a line "answer: " and the letter of the right choice."""
"""Asks for the letter of one choice."""


class Shuffle(Source):
    """Draw answers to a multiple-choice question, its choices in another order each time.

    The question is a record whose field `choices` lists the choices; the first draw shows them as
    listed, every other one in a random order of its own, with the letters A, B, C … in front. The
    letter that a draw answers is mapped back, so that it names the choice by its place in the list:
    the candidate's answer is that letter, its text stays as written, and its note `order` holds the
    letters of the list in the order shown. What is no letter of a choice is *no answer*. A model
    that prefers a place then errs differently from draw to draw, and a vote evens it out.

    Choice shuffling of Medprompt (Nori et al., 2023).
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question", "choices"})
    required: ClassVar[frozenset[str]] = frozenset({"choices"})
    default_prompt: ClassVar[str] = PROMPT

    choices: Annotated[str, Field(min_length=1)] = "choices"
    """The question's field with the choices, a list of texts."""
    n: Annotated[int, Field(ge=1)] = 5
    """How many draws."""

    def flow(self, given: Flow) -> Flow:
        count = Amount(self.n, self.n)
        notes = frozenset({"order"})
        return Flow(count, notes=notes, tokens=completion(self), question=given.question)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        """The choices are taken to be as long as a question at most."""
        calls = self.prices(given, Amount(self.n, self.n))
        return (replace(calls, prompt=calls.prompt + Amount(0, given.question.high)),)

    def roles(self) -> frozenset[str]:
        return frozenset({"choose"})

    def groups(self) -> tuple[range, ...]:
        return tuple(range(draw, draw + 1) for draw in range(self.n))

    def drawing(self, ctx: Context, draws: range) -> Drawing:
        listed = self._listed(ctx)
        order = _order(ctx, draws.start, len(listed))
        shown = [
            f"{letter}) {listed[at]}" for letter, at in zip(ascii_uppercase, order, strict=False)
        ]
        messages = answering(ctx.question, ctx.fill(self, choices="\n".join(shown)))
        texts = tuple(listed[at] for at in order)
        return Drawing(self, messages, Purpose("choose", ctx.question.text, texts))

    def drawn(self, ctx: Context, reply: Reply) -> Candidate:
        candidate = ctx.candidate(reply, index=reply.index)
        order = _order(ctx, reply.index, len(self._listed(ctx)))
        letters = "".join(ascii_uppercase[at] for at in order)
        answer = None if candidate.answer is None else _mapped(candidate.answer, letters)
        return replace(candidate, answer=answer).noted("order", letters)

    def _listed(self, ctx: Context) -> Sequence[str]:
        """The choices. Raises ValueError for what is no list of 2 to 26 texts."""
        listed = field_of(ctx, self.choices, "the choices")
        if isinstance(listed, Sequence) and not isinstance(listed, str):
            texts = [one for one in listed if isinstance(one, str)]
            if len(texts) == len(listed) and 2 <= len(texts) <= len(ascii_uppercase):
                return texts
        raise ValueError(f"the question's field {self.choices!r} is no list of 2 to 26 texts")


def _order(ctx: Context, draw: int, count: int) -> Sequence[int]:
    """Which choice stands in which place of a draw."""
    order = list(range(count))
    if draw:
        ctx.rng("shuffle", draw).shuffle(order)
    return order


def _mapped(answer: Answer, letters: str) -> Answer | None:
    """The letter by the list, for a letter by the order shown."""
    place = ascii_uppercase[: len(letters)].find(answer.text.strip().upper() or " ")
    return (
        None if place < 0 or len(answer.text.strip()) != 1 else Answer(letters[place], answer.kind)
    )
