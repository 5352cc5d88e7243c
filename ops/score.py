"""Score each candidate: by a reward model, by probabilities of tokens, by a judge."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..compiler.model import Capability
from ..compiler.op import Asking, Calls, Context, Each, Flow
from ..compiler.values import Candidate
from ._asks import Said
from ._methods import refuse_arguments, refuse_prompt
from ._score import Method
from ._score_forms import Checklist, Grade
from ._score_told import (
    VERDICT,
    AnswerProbability,
    Certainty,
    Channel,
    Logprob,
    Margin,
    Reward,
    Verdict,
)

__all__ = ["Score"]

_METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "reward": Reward(),
        "logprob": Logprob(),
        "answer": AnswerProbability(),
        "margin": Margin(),
        "certainty": Certainty(),
        "channel": Channel(),
        "verdict": Verdict(),
        "grade": Grade(),
        "checklist": Checklist(),
    }
)

_ONE_TOKEN: Mapping[str, float] = MappingProxyType(
    {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_tokens": 1}
)
"""What is asked of a model that tells numbers and writes nothing."""


class Score(Asking, Each):
    """Score each candidate: by a reward model, by probabilities of tokens, by a judge.

    Asks once about each candidate as it arrives, and adds a score named as its method, or as
    `into` says. What a backend tells, with natural logarithms:

    - `reward`: what the reward model `model` gives the question's chat with the candidate as its
      reply. Unbounded, and comparable within one model only.
    - `logprob`: the log probability that `model` gives the candidate's text as the reply to the
      question: the sum over its tokens, divided by their number to the power of `length_exponent`.
      Never above 0. A token that the text shares with what stands before it counts whole.
    - `answer`: the same of the answer's tokens alone, given all before them: the fewest at the last
      place where the text gives its answer. Without an answer nobody is asked, and there is none.
    - `margin`: the mean, over the answer's tokens, of the probability of the likeliest token less
      that of the next. Between 0 and 1.
    - `certainty`: the mean, over the text's tokens, of KL(uniform, p), with p the distribution over
      the `alternatives` likeliest tokens, made to add up to 1; what lies behind them is not told.
    - `channel`: the log probability of the question as the reply to `prompt`, which shows the
      candidate; with `length_exponent`.
    - `verdict`: the probability of Yes against No as the first token of the verdict that `prompt`
      asks for: P(yes) / (P(yes) + P(no)), each summed over the spellings among the five likeliest
      tokens. Between 0 and 1, so it can weigh votes.

    What a judge says, between 0 and 1:

    - `grade`: a grade from 0 to 10, over 10.
    - `checklist`: the share of the points of `checklist` that it meets; without any, the judge
      writes `most` of them at most, once for the question. The note `checklist` says which.

    With `prompt`, all but the last three and `channel` take the filled prompt for the question, as
    `generate` does. Probabilities are read at temperature 1. What cannot be read (no reward, a
    token without a probability, tokens that do not make up the text, neither yes nor no among the
    likeliest; of a judge, after one repair turn) is counted as unreadable and never 0: the
    candidate carries no such score. With `keep_at`, candidates below it, or without a score, are
    dropped.

    A reward model that picks among samples: Training Verifiers to Solve Math Word Problems (Cobbe
    et al., 2021); the probability of a verdict: Generative Verifiers (Zhang et al., 2024);
    `certainty`: Scalable Best-of-N Selection via Self-Certainty (Kang et al., 2025), over the whole
    vocabulary there; `margin`: Chain-of-Thought Reasoning Without Prompting (Wang and Zhou, 2024);
    `answer`: Is That Your Final Answer? (Jurayj et al., 2025); `channel`: Internet-augmented
    language models (Lazaridou et al., 2022).
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question", "candidate", "checklist"})
    default_prompt: ClassVar[str] = VERDICT

    by: Literal[
        "reward",
        "logprob",
        "answer",
        "margin",
        "certainty",
        "channel",
        "verdict",
        "grade",
        "checklist",
    ]
    """What gives the score."""
    length_exponent: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """For `logprob`, `answer` and `channel`: 1 is the mean over the tokens, 0 their sum."""
    alternatives: Annotated[int, Field(ge=2)] = 20
    """For `certainty`: of how many of the likeliest tokens; vLLM tells 20 at most by default."""
    checklist: tuple[Said, ...] = ()
    """For `checklist`: its points; without any, the judge writes them."""
    most: Annotated[int, Field(ge=1, le=64)] = 8
    """For `checklist`: the most points that the judge may write."""
    into: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None
    """The score's name; None for that of the method."""
    keep_at: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Drop candidates that score less; None keeps all."""

    @model_validator(mode="before")
    @classmethod
    def _reads_at_temperature_one(cls, value: Any) -> Any:
        """What writes nothing is asked for one token, from the distribution as it is."""
        if not isinstance(value, Mapping):
            return value
        way = _METHODS.get(str(value.get("by")))
        return value if way is None or way.writes else {**_ONE_TOKEN, **value}

    @model_validator(mode="after")
    def _fits_its_method(self) -> Self:
        """No argument of another method, and a prompt that names what its method shows."""
        refuse_arguments(self.model_fields_set, _METHODS, self.by, "by")
        if "most" in self.model_fields_set and self.checklist:
            raise ValueError("most is for a checklist that the judge writes")
        if self.prompt is not None:
            self._check_prompt(self.prompt)
        return self

    def _check_prompt(self, prompt: str) -> None:
        if "candidate" not in self._way.shown and "{candidate}" in prompt:
            raise ValueError(f"by {self.by}, {{candidate}} is the reply to the prompt, not in it")
        refuse_prompt(prompt, self._way, self.variables, f"a {self.by}")

    @property
    def _way(self) -> Method:
        return _METHODS[self.by]

    @property
    def name(self) -> str:
        """The score's name."""
        return self.into or self.by

    @property
    def wording(self) -> str:
        return self.prompt or self._way.prompt

    def flow(self, given: Flow) -> Flow:
        """The score is promised although it may be unreadable."""
        scored = given.adding((self.name,), tuple(self._way.notes))
        return scored if self.keep_at is None else scored.with_count(0, given.count.high)

    def keeps(self) -> Literal["none", "some", "all"]:
        return "all" if self.keep_at is None else "some"

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        return self._way.calls(self, given)

    def asks(self) -> frozenset[Capability]:
        return super().asks() | self._way.needs

    def prefers(self) -> Mapping[Capability, str]:
        return self._way.prefers

    def roles(self) -> frozenset[str]:
        return self._way.roles(self)

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        found = await self._way.found(self, ctx, candidate)
        # An earlier score of this name must not stand for this one.
        scores = {name: old for name, old in candidate.scores.items() if name != self.name}
        if found.score is not None:
            scores[self.name] = found.score
        if self.keep_at is not None and (found.score is None or found.score < self.keep_at):
            ctx.note("dropped", candidate=candidate.origin.key, score=found.score)
            return None
        scored = candidate.but(scores=scores).charged(found.usage)
        for name in self._way.notes if found.note is not None else ():
            scored = scored.noted(name, found.note)
        return scored
