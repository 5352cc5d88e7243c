"""The methods of `rank` that look at one candidate at a time: by its grade, and by how near its
embedding is to those of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from ..compiler.model import Capability
from ..compiler.op import Amount, Context, Flow, Shown, Stream
from ..compiler.values import Candidate, Purpose, Usage
from ._asks import Form
from ._coming import Coming
from ._embeddings import embedding, similarities
from ._rank import Asks, Found, Method, Score

if TYPE_CHECKING:
    from .rank import Rank

__all__ = ["POINTWISE", "Central", "Grade", "Pointwise"]

POINTWISE = """\
Here are a question and an answer to it.

### Question
{question}

### Answer
{candidate}

Grade the answer from 0 (worthless) to 10 (could not be better). {criterion}

Reply with one JSON object and nothing else: {"reason": "what decides it", "score": 0 to 10}"""
"""Asks for the grade of one candidate."""


class Grade(Form):
    """How good one candidate is."""

    reason: str
    score: float = Field(ge=0, le=10, allow_inf_nan=False)


class Pointwise(Method):
    """The judge grades each alone."""

    prompt: ClassVar[str] = POINTWISE
    shown: ClassVar[frozenset[str]] = frozenset({"candidate"})
    role: ClassVar[str] = "score"

    def asked(self, op: Rank, given: Flow) -> Asks:
        depth = Amount(min(1, given.count.low), min(1, given.count.high))
        return Asks(given.count, Amount(1, 1), depth)

    def shows(self, op: Rank, given: Flow) -> Mapping[str, Shown]:
        return {"candidate": Shown(given.count.high)}

    async def found(self, op: Rank, ctx: Context, given: Stream) -> Found:
        coming = Coming(given)
        scores: list[Score] = [None] * coming.most
        spent = [Usage()] * coming.most

        async def grade(place: int) -> None:
            candidate = await coming.at(place)
            if candidate is not None:
                scores[place], spent[place] = await self._grade(op, ctx, candidate, place)

        read = await coming.alongside(ctx, [grade(place) for place in range(coming.most)])
        return Found(read, scores[: len(read)], spent[: len(read)])

    async def _grade(
        self, op: Rank, ctx: Context, candidate: Candidate, place: int
    ) -> tuple[Score, Usage]:
        asked = await ctx.ask(
            op,
            ctx.fill(op, candidate=candidate.text, criterion=op.criterion),
            Purpose(self.role, ctx.question.text, (candidate.text,)),
            Grade,
            index=place,
        )
        return None if asked.value is None else asked.value.score / 10, asked.usage


class Central(Method):
    """Nobody judges: the candidates nearest to all others are the best."""

    role: ClassVar[str] = "embed"

    def asked(self, op: Rank, given: Flow) -> Asks:
        depth = Amount(min(1, given.count.low), min(1, given.count.high))
        return Asks(given.count, Amount(1, 1), depth)

    def shows(self, op: Rank, given: Flow) -> Mapping[str, Shown]:
        return {}

    def asks(self) -> frozenset[Capability]:
        return frozenset({Capability.EMBEDDINGS})

    def prefers(self) -> Mapping[Capability, str]:
        return {}

    async def found(self, op: Rank, ctx: Context, given: Stream) -> Found:
        coming = Coming(given)
        vectors: list[tuple[float, ...] | None] = [None] * coming.most
        spent = [Usage()] * coming.most

        async def embed(place: int) -> None:
            candidate = await coming.at(place)
            if candidate is not None:
                vectors[place], spent[place] = await embedding(op, ctx, candidate, place)

        read = await coming.alongside(ctx, [embed(place) for place in range(coming.most)])
        return Found(read, _nearness(vectors[: len(read)]), spent[: len(read)])


def _nearness(vectors: Sequence[tuple[float, ...] | None]) -> list[Score]:
    """The mean cosine similarity of each to the others, between 0 and 1; None where there is no
    embedding, or no other one."""
    near = similarities(vectors)
    scores: list[Score] = []
    for i, row in enumerate(near):
        others = [s for j, s in enumerate(row) if j != i and s is not None]
        known = vectors[i] is not None and others
        scores.append((1 + sum(others) / len(others)) / 2 if known else None)
    return scores
