"""Draw answers to the question from one model."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from ..compiler.model import Capability
from ..compiler.op import (
    PLAIN,
    Amount,
    Calls,
    Context,
    Drawing,
    Flow,
    Reply,
    Source,
    Wishes,
)
from ..compiler.values import Candidate, Message, Purpose
from ._asks import answering, completion
from ._scores import LOGPROB_SCORES, likelihood

__all__ = ["Generate"]


class Generate(Source):
    """Draw answers to the question from one model.

    The model gets the question's own chat, unchanged; with `prompt`, the chat's system messages
    and images and the filled prompt instead. Every draw is a candidate, its answer read from its
    text by the pipeline's `answer:`; a draw without a readable answer stays and is *no answer*.
    Adds no notes, and scores only with `logprobs: true`.

    These are, of the probabilities that the backend tells of the tokens drawn (natural logarithms):
    `logprob`, the sum of their logs; `logprob_mean`, the sum over their number; and
    `probability_mean`, its exponential, the geometric mean of their probabilities, between 0 and 1.
    The first two are never above 0, so that they order candidates but cannot weigh votes; the third
    can. A draw of which a probability is missing or zero carries none of them, and is noted.

    Repeated sampling: Large Language Monkeys (Brown et al., 2024); for a vote: Self-Consistency
    (Wang et al., 2022), which draws at temperature 0.7 and also weighs by `probability_mean`.
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question"})
    verbatim: ClassVar[bool] = True

    n: Annotated[int, Field(ge=1)] = 1
    """How many draws."""
    logprobs: bool = False
    """Whether every draw is scored by the probabilities of its tokens."""

    def flow(self, given: Flow) -> Flow:
        """With `logprobs`, the scores are promised although a probability may be missing."""
        scores = LOGPROB_SCORES if self.logprobs else frozenset[str]()
        count = Amount(self.n, self.n)
        return Flow(count, scores, tokens=completion(self), question=given.question)

    def asks(self) -> frozenset[Capability]:
        return super().asks().union({Capability.LOGPROBS} if self.logprobs else ())

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        return (self.prices(given, Amount(self.n, self.n)),)

    def roles(self) -> frozenset[str]:
        return frozenset({"solve"})

    def groups(self) -> tuple[range, ...]:
        return (range(self.n),)

    def drawing(self, ctx: Context, draws: range) -> Drawing:
        wishes = Wishes(logprobs=0) if self.logprobs else PLAIN
        return Drawing(self, self._messages(ctx), Purpose("solve", ctx.question.text), wishes)

    def drawn(self, ctx: Context, reply: Reply) -> Candidate:
        candidate = ctx.candidate(reply, index=reply.index)
        if not self.logprobs:
            return candidate
        scores = likelihood([token.logprob for token in reply.logprobs])
        if not scores:
            ctx.note("no probability", candidate=candidate.origin.key)
        return candidate.but(scores=scores)

    def _messages(self, ctx: Context) -> tuple[Message, ...]:
        if self.prompt is None:
            return ctx.question.messages
        return answering(ctx.question, ctx.fill(self))
