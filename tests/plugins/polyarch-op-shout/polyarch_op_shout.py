"""An operator for polyarch, found by its entry point."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from polyarch.compiler.op import Context, Each, Flow
from polyarch.compiler.values import Candidate


class Shout(Each):
    """Score each candidate by how loud it is.

    Adds the score `shout`, the share of its letters that are capitals, 0 where it has none. With
    `at_most`, candidates that are louder are dropped. Asks nobody.
    """

    at_most: Annotated[float, Field(ge=0, le=1)] | None = None
    """Drop what is louder; None keeps all."""

    def flow(self, given: Flow) -> Flow:
        """What is known before the run: every candidate has the score; how many come out."""
        low = given.count.low if self.at_most is None else 0
        return given.with_count(low, given.count.high).adding(scores=("shout",))

    def keeps(self) -> Literal["none", "some", "all"]:
        """Candidates go on with the texts they came with."""
        return "all" if self.at_most is None else "some"

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        """Called for each candidate as soon as it is there; None drops it."""
        letters = [letter for letter in candidate.text if letter.isalpha()]
        loud = sum(letter.isupper() for letter in letters) / len(letters) if letters else 0.0
        if self.at_most is not None and loud > self.at_most:
            ctx.note("too loud", candidate=candidate.origin.key, share=loud)
            return None
        return candidate.scored("shout", loud)
