"""Draw answers to the question from several models or prompts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ..compiler.model import Capability
from ..compiler.op import (
    Amount,
    Asking,
    Calls,
    Context,
    Drawing,
    Flow,
    ModelName,
    Reply,
    Source,
)
from ..compiler.values import Candidate
from ._asks import completion
from ._scores import LOGPROB_SCORES
from .generate import Generate

__all__ = ["Ensemble", "Member"]


def _named(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


Member = Annotated[Generate, BeforeValidator(_named, json_schema_input_type=ModelName | Generate)]
"""The name of a model, or the arguments of a `generate`."""


class Ensemble(Source):
    """Draw answers to the question from several models or prompts.

    `members` are names of models, or mappings with the arguments of `generate` (`model`, `n`,
    `temperature`, `prompt`, …). The ensemble's own arguments are those of every member that does
    not give its own: `{members: [a, b], n: 4, temperature: 0.7}` draws eight. Draws are numbered
    through the members in the order written, so a member named twice draws twice, independently.
    Adds no notes, and the scores of `generate` with `logprobs: true`; what reads them wants them of
    every member. A draw without a readable answer stays and is *no answer*.

    Generator layer of Archon (Saad-Falcon et al., 2024); proposers of Mixture-of-Agents (Wang et
    al., 2024).
    """

    variables: ClassVar[frozenset[str]] = Generate.variables

    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    """Who draws, in this order."""
    n: Annotated[int, Field(ge=1)] = 1
    """How many draws of each member that does not say."""
    logprobs: bool | Literal["prefer"] = False
    """Whether the draws of each member that does not say are scored by the probabilities of their
    tokens; `prefer`: where they are told."""

    @model_validator(mode="after")
    def _members_are_the_change(self) -> Self:
        if any(member.temperatures or member.prompts for member in self.members):
            raise ValueError("a member with other settings is another member")
        return self

    def askings(self) -> tuple[Asking, ...]:
        return self._drawing()

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        if len(askings) != len(self.members):
            raise ValueError(f"{len(askings)} askings for {len(self.members)} members")
        return self.model_copy(update={"members": tuple(askings)})

    def flow(self, given: Flow) -> Flow:
        members = self._drawing()
        draws = sum(member.n for member in members)
        longest = max(completion(member).high for member in members)
        scored = all(member.logprobs for member in members)
        return Flow(
            Amount(draws, draws),
            LOGPROB_SCORES if scored else frozenset(),
            tokens=Amount(1, longest),
            question=given.question,
        )

    def asks(self) -> frozenset[Capability]:
        return frozenset(need for member in self._drawing() for need in member.asks())

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        return tuple(calls for member in self._drawing() for calls in member.calls(given))

    def roles(self) -> frozenset[str]:
        return frozenset({"solve"})

    def groups(self) -> tuple[range, ...]:
        counts = (m.n if "n" in m.model_fields_set else self.n for m in self.members)
        return tuple(range(start, stop) for start, stop in pairwise(accumulate(counts, initial=0)))

    def drawing(self, ctx: Context, draws: range) -> Drawing:
        return self._member(draws).drawing(ctx, draws)

    def drawn(self, ctx: Context, reply: Reply) -> Candidate:
        return self._member(range(reply.index, reply.index + 1)).drawn(ctx, reply)

    def _member(self, draws: range) -> Generate:
        for member, group in zip(self.members, self.groups(), strict=True):
            if draws.start in group and draws.stop <= group.stop:
                return self._filled(member)
        raise ValueError(f"draws {draws.start}–{draws.stop} are not of one member")

    def _drawing(self) -> tuple[Generate, ...]:
        """The members, with the ensemble's arguments where they give none of their own."""
        return tuple(map(self._filled, self.members))

    def _filled(self, member: Generate) -> Generate:
        shared = Generate.model_fields.keys() & type(self).model_fields.keys()
        own = {name: getattr(self, name) for name in shared}
        given = member.model_fields_set
        return member.model_copy(update={k: v for k, v in own.items() if k not in given})
