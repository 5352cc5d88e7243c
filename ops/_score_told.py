"""The methods of `score` that read numbers which a backend tells beside a text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import fsum, isfinite, pow
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..compiler.model import Capability
from ..compiler.op import Amount, Calls, Context, Flow, Reply, Wishes
from ..compiler.values import Candidate, Message, Purpose, TokenLogprob, Usage
from ._asks import answering, chat
from ._score import Found, Method
from ._tokens import answering_tokens, certainty, margin, of_text, yes_share

if TYPE_CHECKING:
    from .score import Score

__all__ = [
    "VERDICT",
    "AnswerProbability",
    "Certainty",
    "Channel",
    "Logprob",
    "Margin",
    "Reward",
    "Verdict",
]

VERDICT = """\
Here are a question and an answer that someone gave to it.

### Question
{question}

### Answer
{candidate}

Is the answer right? Reply with one word and nothing else: Yes or No."""
"""Asks for a verdict of one token."""

_ALTERNATIVES = 5
"""So many of the likeliest tokens are told by every server that tells any."""


class _Told(NamedTuple):
    """A request whose reply tells something of a candidate."""

    messages: tuple[Message, ...]
    purpose: Purpose
    wishes: Wishes


class _Telling(Method):
    """One request about each candidate; the score is read from what comes with the reply."""

    def roles(self, op: Score) -> frozenset[str]:
        return frozenset({"score"})

    def calls(self, op: Score, given: Flow) -> tuple[Calls, ...]:
        own = len(op.prompt or self.prompt) // 4
        shown = given.question + given.tokens + Amount(own, own)
        most = self._most(op)
        depth = Amount(min(1, given.count.low), min(1, given.count.high))
        return (Calls(op.model or "", given.count, shown, Amount(min(1, most), most), depth),)

    def _most(self, op: Score) -> int:
        """The most tokens of a reply."""
        return (op.max_tokens or 1) + (op.thinking or 0)

    async def found(self, op: Score, ctx: Context, candidate: Candidate) -> Found:
        told = self._asks(op, ctx, candidate)
        draws = range(candidate.origin.index, candidate.origin.index + 1)
        (reply,) = await ctx.sample(op, told.messages, told.purpose, draws, told.wishes)
        score = self._read(op, ctx, candidate, reply)
        if score is None or not isfinite(score):
            ctx.count_unreadable(reply, f"it holds no {op.by} of {candidate.origin.key}")
            return Found(None, reply.usage)
        return Found(score, reply.usage)

    @abstractmethod
    def _asks(self, op: Score, ctx: Context, candidate: Candidate) -> _Told:
        """What is asked about a candidate."""

    @abstractmethod
    def _read(self, op: Score, ctx: Context, candidate: Candidate, reply: Reply) -> float | None:
        """The score; None if it cannot be read."""


class Reward(_Telling):
    """What a reward model gives the candidate as the reply to the question."""

    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.REWARD})

    def _most(self, op: Score) -> int:
        return 0

    def _asks(self, op: Score, ctx: Context, candidate: Candidate) -> _Told:
        messages = (*chat(op, ctx), Message("assistant", candidate.text))
        purpose = Purpose("score", ctx.question.text, (candidate.text,))
        return _Told(messages, purpose, Wishes(wants="reward"))

    def _read(self, op: Score, ctx: Context, candidate: Candidate, reply: Reply) -> float | None:
        return reply.values[0] if len(reply.values) == 1 else None


class Verdict(_Telling):
    """The probability of yes against no, as the first token of a verdict."""

    prompt: ClassVar[str] = VERDICT
    shown: ClassVar[frozenset[str]] = frozenset({"question", "candidate"})
    required: ClassVar[frozenset[str]] = frozenset({"candidate"})
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.LOGPROBS})

    def _asks(self, op: Score, ctx: Context, candidate: Candidate) -> _Told:
        messages = answering(ctx.question, ctx.fill(op, candidate=candidate.text))
        purpose = Purpose("score", ctx.question.text, (candidate.text,))
        return _Told(messages, purpose, Wishes(logprobs=_ALTERNATIVES))

    def _read(self, op: Score, ctx: Context, candidate: Candidate, reply: Reply) -> float | None:
        return yes_share(reply.logprobs)


class _Reading(_Telling):
    """What the model thinks of the tokens of the candidate's text, as its reply to the question."""

    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PROMPT_LOGPROBS, Capability.CONTINUATION}
    )

    def roles(self, op: Score) -> frozenset[str]:
        return frozenset({"solve"})

    def _asks(self, op: Score, ctx: Context, candidate: Candidate) -> _Told:
        wishes = Wishes(prefix=candidate.text, prompt_logprobs=self._alternatives(op))
        return _Told(chat(op, ctx), Purpose("solve", ctx.question.text), wishes)

    def _alternatives(self, op: Score) -> int:
        """How many of the likeliest tokens are told of each."""
        return 0

    def _read(self, op: Score, ctx: Context, candidate: Candidate, reply: Reply) -> float | None:
        return self._of(op, ctx, candidate, of_text(reply.prompt_logprobs, candidate.text))

    @abstractmethod
    def _of(
        self, op: Score, ctx: Context, candidate: Candidate, tokens: Sequence[TokenLogprob]
    ) -> float | None:
        """The score, out of the text's tokens; of none there is none."""


class Logprob(_Reading):
    """The log probability of the text, over its length to an exponent."""

    takes: ClassVar[frozenset[str]] = frozenset({"length_exponent"})

    def _of(
        self, op: Score, ctx: Context, candidate: Candidate, tokens: Sequence[TokenLogprob]
    ) -> float | None:
        return _summed(tokens, op.length_exponent)


class Certainty(_Reading):
    """Self-certainty: how far the distributions of the tokens are from uniform."""

    takes: ClassVar[frozenset[str]] = frozenset({"alternatives"})

    def _alternatives(self, op: Score) -> int:
        return op.alternatives

    def _of(
        self, op: Score, ctx: Context, candidate: Candidate, tokens: Sequence[TokenLogprob]
    ) -> float | None:
        return certainty(tokens, op.alternatives)


class _Answering(_Reading):
    """The same of the tokens of the answer alone. Without an answer nobody is asked."""

    async def found(self, op: Score, ctx: Context, candidate: Candidate) -> Found:
        if candidate.answer is None:
            return Found(None, Usage())
        return await super().found(op, ctx, candidate)

    def calls(self, op: Score, given: Flow) -> tuple[Calls, ...]:
        (calls,) = super().calls(op, given)
        none = Amount(0, calls.count.high), Amount(0, calls.depth.high)
        return (Calls(calls.model, none[0], calls.prompt, calls.completion, none[1]),)


class AnswerProbability(_Answering):
    """The log probability of the answer, given the question and what stands before it."""

    takes: ClassVar[frozenset[str]] = frozenset({"length_exponent"})

    def _of(
        self, op: Score, ctx: Context, candidate: Candidate, tokens: Sequence[TokenLogprob]
    ) -> float | None:
        return _summed(_answer(ctx, candidate, tokens), op.length_exponent)


class Margin(_Answering):
    """How much likelier each token of the answer is than the next likely one."""

    def _alternatives(self, op: Score) -> int:
        return 2

    def _of(
        self, op: Score, ctx: Context, candidate: Candidate, tokens: Sequence[TokenLogprob]
    ) -> float | None:
        return margin(_answer(ctx, candidate, tokens))


class Channel(_Telling):
    """The log probability of the question, as the reply to a prompt that shows the candidate."""

    shown: ClassVar[frozenset[str]] = frozenset({"candidate"})
    required: ClassVar[frozenset[str]] = frozenset({"candidate"})
    prompt: ClassVar[str] = """\
Here is an answer to a question.

### Answer
{candidate}

Write the question that it answers, and nothing else."""
    takes: ClassVar[frozenset[str]] = frozenset({"length_exponent"})
    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.PROMPT_LOGPROBS, Capability.CONTINUATION}
    )

    def roles(self, op: Score) -> frozenset[str]:
        return frozenset({"ask"})

    def _asks(self, op: Score, ctx: Context, candidate: Candidate) -> _Told:
        messages = (Message("user", ctx.fill(op, candidate=candidate.text)),)
        purpose = Purpose("ask", ctx.question.text, (candidate.text,))
        return _Told(messages, purpose, Wishes(prefix=ctx.question.text, prompt_logprobs=0))

    def _read(self, op: Score, ctx: Context, candidate: Candidate, reply: Reply) -> float | None:
        return _summed(of_text(reply.prompt_logprobs, ctx.question.text), op.length_exponent)


def _answer(
    ctx: Context, candidate: Candidate, tokens: Sequence[TokenLogprob]
) -> Sequence[TokenLogprob]:
    assert candidate.answer is not None
    return answering_tokens(tokens, ctx.answer, candidate.answer)


def _summed(tokens: Sequence[TokenLogprob], exponent: float) -> float | None:
    logprobs = [token.logprob for token in tokens]
    return fsum(logprobs) / pow(len(logprobs), exponent) if logprobs else None
