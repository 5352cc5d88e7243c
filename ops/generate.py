"""Draw answers to the question from one model."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from ..compiler.op import Amount, Calls, Context, Drawing, Flow, Source
from ..compiler.values import Message, Purpose
from ._asks import answering, completion

__all__ = ["Generate"]


class Generate(Source):
    """Draw answers to the question from one model.

    The model gets the question's own chat, unchanged; with `prompt`, the chat's system messages
    and images and the filled prompt instead. Every draw is a candidate, its answer read from its
    text by the pipeline's `answer:`; a draw without a readable answer stays and is *no answer*.
    Adds no scores and no notes.

    Repeated sampling: Large Language Monkeys (Brown et al., 2024); for a vote: Self-Consistency
    (Wang et al., 2022), which draws at temperature 0.7.
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question"})

    n: Annotated[int, Field(ge=1)] = 1
    """How many draws."""

    def flow(self, given: Flow) -> Flow:
        return Flow(Amount(self.n, self.n), tokens=completion(self), question=given.question)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        return (self.prices(given, Amount(self.n, self.n)),)

    def roles(self) -> frozenset[str]:
        return frozenset({"solve"})

    def groups(self) -> tuple[range, ...]:
        return (range(self.n),)

    def drawing(self, ctx: Context, draws: range) -> Drawing:
        return Drawing(self, self._messages(ctx), Purpose("solve", ctx.question.text))

    def _messages(self, ctx: Context) -> tuple[Message, ...]:
        if self.prompt is None:
            return ctx.question.messages
        return answering(ctx.question, ctx.fill(self))
