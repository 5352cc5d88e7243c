"""Add up several scores of each candidate."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import Annotated, Literal

from pydantic import Field

from ..compiler.op import Context, Each, Flow
from ..compiler.values import Candidate
from ._scores import finite, must_carry

__all__ = ["Combine"]

_Name = Annotated[str, Field(min_length=1)]
_Weight = Annotated[float, Field(allow_inf_nan=False)]


class Combine(Each):
    """Add up several scores of each candidate.

    Adds the score `into`: the sum of the scores named, each times its weight. Of log probabilities
    that is a product of experts, as `{logprob_mean: 1, channel: 0.5}`. A candidate that lacks one
    of them, or has one that is not a finite number, carries no sum and is counted in the trace; it
    is never 0. Asks nobody.

    Mixtures of scores of Internet-augmented language models (Lazaridou et al., 2022); ThinkSum
    (Ozturkler et al., 2022), where a rule outside the model combines what it told.
    """

    scores: Annotated[Mapping[_Name, _Weight], Field(min_length=1)]
    """What each score counts in the sum."""
    into: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "combined"
    """The sum's name."""

    def flow(self, given: Flow) -> Flow:
        for name in self.scores:
            must_carry(given, name, "scores")
        return given.adding((self.into,))

    def keeps(self) -> Literal["none", "some", "all"]:
        return "all"

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        found = {name: finite(candidate, name) for name in self.scores}
        known = [self.scores[name] * own for name, own in found.items() if own is not None]
        # An earlier score of this name must not stand for this one.
        rest = {name: score for name, score in candidate.scores.items() if name != self.into}
        if len(known) == len(found):
            return candidate.but(scores={**rest, self.into: fsum(known)})
        missing = [name for name, score in found.items() if score is None]
        ctx.note("not combined", candidate=candidate.origin.key, missing=missing)
        return candidate.but(scores=rest)
