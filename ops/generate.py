"""Draw answers to the question from one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, groupby, pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..compiler.model import Capability
from ..compiler.op import (
    Amount,
    Asking,
    Calls,
    Context,
    Drawing,
    Flow,
    Reply,
    Source,
    Wishes,
)
from ..compiler.values import Candidate, Purpose
from ._asks import chat, completion
from ._cutting import cut_behind
from ._scores import LOGPROB_SCORES, likelihood

__all__ = ["Generate"]


class Generate(Source):
    """Draw answers to the question from one model.

    The model gets the question's own chat, unchanged; with `prompt`, the chat's system messages
    and images and the filled prompt instead. Every draw is a candidate, its answer read from its
    text by the pipeline's `answer:`; a draw without a readable answer stays and is *no answer*.
    Adds no notes, and scores only with `logprobs`.

    `temperatures` are spread evenly over the draws, with a straight line between two: `[1.2, 0.2]`
    cools down from the first draw to the last, as many as there are draws are one for each.
    `prompts` are taken in turn. `prefix` is text that every reply begins with and the model goes on
    from, such as thinking that is over before it began; it is part of the candidate. `until` cuts
    a reply behind the first of these texts; unlike with `stop`, the text itself stays, and what was
    cut can be told from what ended by itself, so that `extend` goes on from there. What was drawn
    behind it is lost.

    The scores are, of the probabilities that the backend tells of the tokens drawn (natural
    logarithms): `logprob`, the sum of their logs; `logprob_mean`, the sum over their number; and
    `probability_mean`, its exponential, the geometric mean of their probabilities, between 0 and 1.
    The first two are never above 0, so that they order candidates but cannot weigh votes; the third
    can. A draw of which a probability is missing or zero carries none of them, and is noted. With
    `logprobs: prefer` a model will do that tells no probabilities: then no draw carries any, and a
    vote that weighs by them counts answers instead.

    Repeated sampling: Large Language Monkeys (Brown et al., 2024); for a vote: Self-Consistency
    (Wang et al., 2022), which draws at temperature 0.7 and also weighs by `probability_mean`; a
    temperature that falls with the draws: Adaptive Inference-Time Compute (Manvi et al., 2024); a
    thought that is over: Reasoning Models Can Be Effective Without Thinking (Ma et al., 2025).
    """

    variables: ClassVar[frozenset[str]] = frozenset({"question"})
    verbatim: ClassVar[bool] = True

    n: Annotated[int, Field(ge=1)] = 1
    """How many draws."""
    logprobs: bool | Literal["prefer"] = False
    """Whether every draw is scored by the probabilities of its tokens; `prefer`: where they are
    told."""
    temperatures: tuple[Annotated[float, Field(ge=0, le=5)], ...] = ()
    """The temperature, as it changes from the first draw to the last."""
    prompts: tuple[str, ...] = ()
    """Prompts, one draw each in turn."""
    prefix: str = ""
    """Text that every reply begins with."""
    until: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Texts behind which a reply is cut."""

    @model_validator(mode="after")
    def _says_it_once(self) -> Self:
        if self.temperatures and self.temperature is not None:
            raise ValueError("either `temperature` or `temperatures`")
        if self.prompts and self.prompt is not None:
            raise ValueError("either `prompt` or `prompts`")
        return self

    def flow(self, given: Flow) -> Flow:
        """With `logprobs`, the scores are promised although a probability may be missing."""
        scores = LOGPROB_SCORES if self.logprobs else frozenset[str]()
        count = Amount(self.n, self.n)
        own = len(self.prefix) // 4
        tokens = completion(self) + Amount(own, own)
        return Flow(count, scores, tokens=tokens, question=given.question)

    def asks(self) -> frozenset[Capability]:
        needs = {Capability.LOGPROBS} if self.logprobs is True else set()
        return super().asks().union(needs, {Capability.CONTINUATION} if self.prefix else ())

    def prefers(self) -> Mapping[Capability, str]:
        return _WITHOUT if self.logprobs == "prefer" else {}

    def askings(self) -> tuple[Asking, ...]:
        return self._turns() if self._changes else (self,)

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        if not self._changes:
            return super().with_askings(askings)
        own = {"temperature"} if self.temperatures else set()
        own |= {"prompt"} if self.prompts else set()
        told = {name: getattr(askings[0], name) for name in Asking.model_fields if name not in own}
        return self.model_copy(update=told)

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        turns = self._turns() if self._changes else (self,)
        return tuple(one.prices(given, Amount(one.n, one.n)) for one in turns)

    def roles(self) -> frozenset[str]:
        return frozenset({"solve"})

    def groups(self) -> tuple[range, ...]:
        if not self._changes:
            return (range(self.n),)
        ends = list(accumulate(one.n for one in self._turns()))
        return tuple(range(start, end) for start, end in pairwise([0, *ends]))

    def drawing(self, ctx: Context, draws: range) -> Drawing:
        wishes = Wishes(self.prefix, logprobs=0 if self.logprobs else None)
        one = self._turn(draws.start)
        return Drawing(one, chat(one, ctx), Purpose("solve", ctx.question.text), wishes)

    def drawn(self, ctx: Context, reply: Reply) -> Candidate:
        whole = cut_behind(reply, self.prefix, self.until)
        candidate = ctx.candidate(whole, index=reply.index)
        if not self.logprobs:
            return candidate
        scores = likelihood([token.logprob for token in reply.logprobs])
        if not scores:
            ctx.note("no probability", candidate=candidate.origin.key)
        return candidate.but(scores=scores)

    @property
    def _changes(self) -> bool:
        """Whether draws differ in more than their seeds."""
        return bool(self.temperatures or self.prompts)

    def _turns(self) -> tuple[Generate, ...]:
        """What is asked for draws that follow one another and share everything."""
        alike = groupby(range(self.n), key=self._settings)
        return tuple(self._with(*settings, len(list(draws))) for settings, draws in alike)

    def _turn(self, draw: int) -> Generate:
        """What is asked for a draw."""
        return self._with(*self._settings(draw), 1) if self._changes else self

    def _with(self, temperature: float | None, prompt: str | None, draws: int) -> Generate:
        told = {"temperature": temperature, "prompt": prompt, "n": draws}
        return self.model_copy(update={**told, "temperatures": (), "prompts": ()})

    def _settings(self, draw: int) -> tuple[float | None, str | None]:
        """The temperature and the prompt of a draw."""
        prompt = self.prompts[draw % len(self.prompts)] if self.prompts else self.prompt
        if not self.temperatures:
            return self.temperature, prompt
        last = len(self.temperatures) - 1
        place = draw * last / (self.n - 1) if self.n > 1 else 0.0
        at = min(int(place), max(0, last - 1))
        low, high = self.temperatures[at], self.temperatures[min(at + 1, last)]
        return round(low + (place - at) * (high - low), 6), prompt


_WITHOUT: Mapping[Capability, str] = {
    Capability.LOGPROBS: "draws carry no probabilities; a vote that weighs by them counts"
}
