"""Keep the candidate that agrees most with all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from operator import mul
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..compiler.answers import AnswerKind
from ..compiler.model import Capability
from ..compiler.op import All, Amount, Asking, Calls, Context, Flow, Mismatch, Stream
from ..compiler.values import Candidate, Usage
from ._coming import Coming
from ._embeddings import Vector, embedding, similarities
from ._scores import finite, must_carry
from ._utilities import Grams, chrf

__all__ = ["Mbr"]

_PLACES = 9
"""Sums that agree to so many decimals are equal, as in a vote."""


class Mbr(Asking, All):
    """Keep the candidate that agrees most with all of them.

    Minimum Bayes risk: reads everything and yields the `keep` candidates with the highest expected
    utility, best first; of equals the earlier in index order. The expected utility of a candidate
    is the mean of its utility against every candidate, itself among them, weighted by their score
    `weight`; it is added as the score `mbr`, between 0 and 1. The `utility` of one against another:

    - `exact`: 1 if their answers mean the same, else 0. The best is the plurality.
    - `chrf`: the F-score of the characters' n-grams of their texts (chrF2).
    - `embedding`: (1 + cosine) / 2 of the embeddings that `model` gives of their texts. The others
      ask nobody.

    With `choose_from: first` and several steps to read, only candidates of the first can be chosen;
    those of the others are evidence alone. *No answer* is neither evidence nor chosen, and so is
    what has no embedding or a weight that is missing, not finite or negative; they are counted in
    the trace. If nothing is left, `otherwise` says what happens: `first` yields the first candidate
    with the note `fallback`, `none` nothing.

    Kumar and Byrne (2004); over samples: Eikema and Aziz (2020); evidence that cannot be chosen:
    When Life Gives You Samples (Khairi et al., 2025).
    """

    utility: Literal["exact", "chrf", "embedding"] = "exact"
    """What agreement is."""
    weight: Annotated[str, Field(min_length=1)] | None = None
    """The score that a candidate counts as evidence; None counts each as one."""
    choose_from: Literal["all", "first"] = "all"
    """Of several steps, whose candidates can be chosen."""
    keep: Annotated[int, Field(ge=1)] = 1
    """How many come out, at most."""
    otherwise: Literal["first", "none"] = "first"
    """What comes out if nothing can be chosen."""

    @model_validator(mode="after")
    def _asks_only_for_embeddings(self) -> Self:
        if self.prompt is not None:
            raise ValueError("mbr asks for no text, so it takes no prompt")
        if self.utility != "embedding" and self.model_fields_set & Asking.model_fields.keys():
            raise ValueError(f"utility {self.utility} asks nobody")
        return self

    def askings(self) -> tuple[Asking, ...]:
        return (self,) if self.utility == "embedding" else ()

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        return super().with_askings(askings) if self.askings() else self

    def flow(self, given: Flow) -> Flow:
        """The score is promised although nothing may agree."""
        if given.count.high < 2:
            raise Mismatch("agreement needs two candidates")
        if self.keep > given.count.high:
            raise Mismatch(f"keep {self.keep} of at most {given.count.high} candidates", "keep")
        if self.weight is not None:
            must_carry(given, self.weight, "weight")
        sure = self.otherwise == "first" and self.choose_from == "all"
        low = min(1, given.count.low) if sure else 0
        return given.with_count(low, self.keep).adding(("mbr",))

    def keeps(self) -> Literal["none", "some", "all"]:
        return "some"

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        if self.utility != "embedding":
            return ()
        calls = self.prices(given, Amount(0, given.count.high))
        return (replace(calls, prompt=given.tokens, completion=Amount(0, 0)),)

    def asks(self) -> frozenset[Capability]:
        return frozenset({Capability.EMBEDDINGS} if self.utility == "embedding" else ())

    def roles(self) -> frozenset[str]:
        return frozenset({"embed"} if self.utility == "embedding" else ())

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        voices = await self._voices(ctx, given)
        usable = [voice for voice in voices if self._counts(voice)]
        if len(usable) < len(voices):
            ctx.note("left out", unusable=len(voices) - len(usable))
        scored = await self._scored(ctx.answer, usable)
        # The sort is stable, so equals stay in index order.
        for agreement, candidate in sorted(scored, key=_worst)[: self.keep]:
            yield candidate.scored("mbr", agreement)
        eligible = [voice.candidate for voice in voices if voice.eligible]
        if not scored and eligible and self.otherwise == "first":
            ctx.note("fallback", candidate=eligible[0].origin.key)
            yield eligible[0].noted("fallback", "nothing to choose by agreement")

    async def _scored(
        self, kind: AnswerKind, voices: Sequence[_Voice]
    ) -> list[tuple[float, Candidate]]:
        """The expected utility of each that can be chosen; none if no evidence has any weight."""
        weights = [self._weight(voice.candidate) or 0.0 for voice in voices]
        whole = fsum(weights)
        if not whole:
            return []
        rows = zip(voices, await self._utilities(kind, voices), strict=True)
        return [
            (min(1.0, round(fsum(map(mul, weights, row)), _PLACES) / whole), voice.candidate)
            for voice, row in rows
            if voice.eligible
        ]

    async def _voices(self, ctx: Context, given: Stream) -> list[_Voice]:
        """All candidates, with their embeddings where these are what agrees."""
        coming = Coming(given)
        vectors: list[Vector | None] = [None] * coming.most
        spent = [Usage()] * coming.most

        async def embed(place: int) -> None:
            candidate = await coming.at(place)
            if candidate is not None and candidate.answer is not None:
                vectors[place], spent[place] = await embedding(self, ctx, candidate, place)

        embeds = self.utility == "embedding"
        jobs = [embed(place) for place in range(coming.most)] if embeds else []
        read = await coming.alongside(ctx, jobs)
        made = zip(read, coming.parts, vectors, spent, strict=False)
        return [
            _Voice(candidate.charged(usage), self.choose_from == "all" or part == 0, vector)
            for candidate, part, vector, usage in made
        ]

    def _counts(self, voice: _Voice) -> bool:
        if voice.candidate.answer is None or self._weight(voice.candidate) is None:
            return False
        return self.utility != "embedding" or voice.vector is not None

    def _weight(self, candidate: Candidate) -> float | None:
        weight = 1.0 if self.weight is None else finite(candidate, self.weight)
        return None if weight is None or weight < 0 else weight

    async def _utilities(
        self, kind: AnswerKind, voices: Sequence[_Voice]
    ) -> Sequence[Sequence[float]]:
        """The utility of each against each."""
        match self.utility:
            case "exact":
                answers = [v.candidate.answer for v in voices if v.candidate.answer is not None]
                groups = kind.group(answers)
                return [[float(one == other) for other in groups] for one in groups]
            case "chrf":
                return await _of_texts([voice.candidate.text for voice in voices])
            case "embedding":
                near = similarities([voice.vector for voice in voices])
                return [[0.0 if s is None else (1 + s) / 2 for s in row] for row in near]


@dataclass(frozen=True, slots=True)
class _Voice:
    """A candidate as evidence, and whether it can be chosen."""

    candidate: Candidate
    eligible: bool
    vector: Vector | None


def _worst(scored: tuple[float, Candidate]) -> float:
    return -scored[0]


async def _of_texts(texts: Sequence[str]) -> list[list[float]]:
    """The chrF of each against each, one row at a time so that nobody else has to wait."""
    known: Mapping[str, Grams] = {text: Grams(text) for text in texts}
    rows = []
    for one in texts:
        rows.append([chrf(known[one], known[other]) for other in texts])
        await asyncio.sleep(0)
    return rows
