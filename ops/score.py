"""Score each candidate by a reward model, by its probability, or by that of a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum, isfinite, pow
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..compiler.model import Capability
from ..compiler.op import Amount, Asking, Calls, Context, Each, Flow, Reply, Wishes
from ..compiler.values import Candidate, Message, Purpose, TokenLogprob
from ._asks import answering

__all__ = ["PROMPT", "Score"]

PROMPT = """\
Here are a question and an answer that someone gave to it.

### Question
{question}

### Answer
{candidate}

Is the answer right? Reply with one word and nothing else: Yes or No."""
"""Asks for a verdict of one token."""

_ALTERNATIVES = 5
"""So many of the likeliest tokens are told by every server that tells any."""

_NEEDS = {
    "reward": frozenset({Capability.REWARD}),
    "logprob": frozenset({Capability.PROMPT_LOGPROBS, Capability.CONTINUATION}),
    "verdict": frozenset({Capability.LOGPROBS}),
}


class Score(Asking, Each):
    """Score each candidate by a reward model, by its probability, or by that of a verdict.

    Asks once about each candidate as it arrives, and adds a score named as its method, or as
    `into` says. Three methods:

    - `reward`: what the reward model `model` gives the question's chat with the candidate as its
      reply. Unbounded, and comparable within one model only.
    - `logprob`: the log probability (natural logarithm) that `model` gives the candidate's text as
      the reply to the question: the sum over its tokens, divided by their number to the power of
      `length_exponent`. Never above 0. A token that the text shares with what stands before it
      counts whole.
    - `verdict`: the probability of Yes against No as the first token of the verdict that `prompt`
      asks for: P(yes) / (P(yes) + P(no)), each summed over the spellings among the five likeliest
      tokens. Between 0 and 1, so it can weigh votes.

    With `prompt`, `reward` and `logprob` take the filled prompt for the question, as `generate`
    does. Probabilities are read at temperature 1. What cannot be read (no reward, a token without a
    probability, tokens that do not make up the text, neither yes nor no among the likeliest) is
    counted as unreadable and never 0: the candidate carries no such score. With `keep_at`,
    candidates below it, or without a score, are dropped.

    A reward model that picks among samples: Training Verifiers to Solve Math Word Problems (Cobbe
    et al., 2021); the probability of a verdict: Generative Verifiers (Zhang et al., 2024).
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question", "candidate"})
    default_prompt: ClassVar[str] = PROMPT

    by: Literal["reward", "logprob", "verdict"]
    """What gives the score."""
    length_exponent: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """For `logprob`: 1 is the mean over the tokens, 0 their sum."""
    into: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None
    """The score's name; None for that of the method."""
    keep_at: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Drop candidates that score less; None keeps all."""
    temperature: Annotated[float, Field(ge=0, le=5)] | None = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] | None = 1.0
    top_k: Annotated[int, Field(ge=0)] | None = 0
    max_tokens: Annotated[int, Field(ge=1)] | None = 1

    @model_validator(mode="after")
    def _shows_what_it_asks_about(self) -> Self:
        """A prompt for a verdict shows the candidate; elsewhere the candidate is the reply."""
        if self.prompt is not None:
            shown = "{candidate}" in self.prompt
            if self.by == "verdict" and not shown:
                raise ValueError("a prompt for a verdict names {candidate}")
            if self.by != "verdict" and shown:
                raise ValueError(
                    f"by {self.by}, {{candidate}} is the reply to the prompt, not in it"
                )
        if self.by != "logprob" and "length_exponent" in self.model_fields_set:
            raise ValueError("length_exponent is for `by: logprob`")
        return self

    @property
    def name(self) -> str:
        """The score's name."""
        return self.into or self.by

    def flow(self, given: Flow) -> Flow:
        """The score is promised although it may be unreadable."""
        scored = given.adding(scores=(self.name,))
        return scored if self.keep_at is None else scored.with_count(0, given.count.high)

    def keeps(self) -> Literal["none", "some", "all"]:
        return "all" if self.keep_at is None else "some"

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        own = self.prompt or (PROMPT if self.by == "verdict" else "")
        shown = given.question + given.tokens + Amount(len(own) // 4, len(own) // 4)
        most = 0 if self.by == "reward" else (self.max_tokens or 1) + (self.thinking or 0)
        completion = Amount(min(1, most), most)
        depth = Amount(min(1, given.count.low), min(1, given.count.high))
        return (Calls(self.model or "", given.count, shown, completion, depth),)

    def asks(self) -> frozenset[Capability]:
        return super().asks() | _NEEDS[self.by]

    def roles(self) -> frozenset[str]:
        return frozenset({"solve" if self.by == "logprob" else "score"})

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        reply = await self._reply(ctx, candidate)
        score = self._read(reply, candidate.text)
        # An earlier score of this name must not stand for this one.
        scores = {name: old for name, old in candidate.scores.items() if name != self.name}
        if score is None:
            ctx.count_unreadable(reply, f"it holds no {self.by} of {candidate.origin.key}")
        else:
            scores[self.name] = score
        if self.keep_at is not None and (score is None or score < self.keep_at):
            ctx.note("dropped", candidate=candidate.origin.key, score=score)
            return None
        return candidate.but(scores=scores).charged(reply.usage)

    async def _reply(self, ctx: Context, candidate: Candidate) -> Reply:
        index = candidate.origin.index
        asked, shown = ctx.question.text, (candidate.text,)
        match self.by:
            case "reward":
                messages = (*self._chat(ctx), Message("assistant", candidate.text))
                purpose, wishes = Purpose("score", asked, shown), Wishes(wants="reward")
            case "logprob":
                messages, purpose = self._chat(ctx), Purpose("solve", asked)
                wishes = Wishes(prefix=candidate.text, prompt_logprobs=0)
            case "verdict":
                messages = answering(ctx.question, ctx.fill(self, candidate=candidate.text))
                purpose, wishes = Purpose("score", asked, shown), Wishes(logprobs=_ALTERNATIVES)
        (reply,) = await ctx.sample(self, messages, purpose, range(index, index + 1), wishes)
        return reply

    def _chat(self, ctx: Context) -> tuple[Message, ...]:
        if self.prompt is None:
            return ctx.question.messages
        return answering(ctx.question, ctx.fill(self))

    def _read(self, reply: Reply, text: str) -> float | None:
        """The score; None if it cannot be read."""
        match self.by:
            case "reward":
                score = reply.values[0] if len(reply.values) == 1 else None
            case "logprob":
                score = _of_text(reply.prompt_logprobs, text, self.length_exponent)
            case "verdict":
                score = _of_yes(reply.logprobs)
        return score if score is not None and isfinite(score) else None


def _of_text(prompt: Sequence[TokenLogprob], text: str, exponent: float) -> float | None:
    """The log probability of the text that a prompt ends with, over its length to the exponent.

    Chat templates may strip a reply, so blanks at its ends may be missing.
    """
    wanted, tail = text.strip(), ""
    logprobs: list[float] = []
    for token in reversed(prompt):
        if len(tail.strip()) >= len(wanted):
            break
        tail = token.token + tail
        logprobs.append(token.logprob)
    if not wanted or not tail.rstrip().endswith(wanted):
        return None
    return fsum(logprobs) / pow(len(logprobs), exponent)


def _of_yes(told: Sequence[TokenLogprob]) -> float | None:
    """P(yes) / (P(yes) + P(no)) of the first token; None if neither is among the likeliest."""
    if not told:
        return None
    likeliest = {**dict(told[0].top), told[0].token: told[0].logprob}
    yes, no = (
        fsum(exp(p) for token, p in likeliest.items() if token.strip().lower() == word)
        for word in ("yes", "no")
    )
    return yes / (yes + no) if yes + no > 0 else None
