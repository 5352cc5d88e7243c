"""Draw answers to a multiple-choice question, its choices in another order each time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from string import ascii_uppercase
from typing import Annotated, ClassVar, Self

from pydantic import Field

from ..compiler.answers import Answer
from ..compiler.op import Amount, Asking, Calls, Context, Drawing, Flow, Reply, Source
from ..compiler.values import Candidate, Json, Purpose
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
    varies: ClassVar[bool] = True

    choices: Annotated[str, Field(min_length=1)] = "choices"
    """The question's field with the choices, a list of texts."""
    n: Annotated[int, Field(ge=1)] = 5
    """How many draws."""

    def flow(self, given: Flow) -> Flow:
        count = Amount(self.n, self.n)
        notes = frozenset({"order"})
        return Flow(count, notes=notes, tokens=completion(self), question=given.question)

    def askings(self) -> tuple[Asking, ...]:
        return (self,) * self.n

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        return super().with_askings(askings[:1])

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        """The choices are taken to be as long as a question at most."""
        calls = self.prices(given, Amount(1, 1))
        calls = replace(calls, prompt=calls.prompt + Amount(0, given.question.high))
        return (calls,) * self.n

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
        texts = _texts(listed) if isinstance(listed, str) else listed
        if isinstance(texts, Sequence) and not isinstance(texts, str):
            known = [text for text in texts if isinstance(text, str) and text.strip()]
            if len(known) == len(texts) and 2 <= len(known) <= len(ascii_uppercase):
                return known
        raise ValueError(f"the question's field {self.choices!r} is no list of 2 to 26 texts")


def _texts(written: str) -> Json:
    """A list that is written out: as JSON, or one a line."""
    try:
        found: Json = json.loads(written)
    except ValueError:
        return [line for line in written.splitlines() if line.strip()]
    return found


def _order(ctx: Context, draw: int, count: int) -> Sequence[int]:
    """Which choice stands in which place of a draw."""
    order = list(range(count))
    if draw:
        ctx.rng("shuffle", draw).shuffle(order)
    return order


def _mapped(answer: Answer, letters: str) -> Answer | None:
    """The letter by the list, for a letter by the order shown."""
    said = answer.text.strip().upper()
    if len(said) != 1 or (place := ascii_uppercase.find(said, 0, len(letters))) < 0:
        return None
    return Answer(letters[place], answer.kind)
