"""Draw one answer for each of the likeliest first tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from ..compiler.model import Capability
from ..compiler.op import All, Amount, Asking, Calls, Context, Flow, Reply, Stream, Wishes
from ..compiler.values import Candidate, Purpose
from ._asks import chat, completion

__all__ = ["Branch"]

_BROKEN = "\ufffd"
"""Stands in a token for bytes that are no character by themselves."""


class Branch(Asking, All):
    """Draw one answer for each of the likeliest first tokens.

    Asks once for the `k` likeliest tokens that the answer may begin with, and then has each of them
    continued, at temperature 0 unless it says otherwise; the likeliest first. Every continuation is
    a candidate whose text begins with its token. Fewer come out where a token is blank, part of a
    character, the end, or one that another reads the same; if none is left, that is counted as
    unreadable, and nothing comes out. The model gets the question's own chat, as from `generate`.
    Adds no scores: `score` by `margin` tells how sure the model is of each.

    The first part of CoT-decoding: Chain-of-Thought Reasoning Without Prompting (Wang and Zhou,
    2024).
    """

    reads: ClassVar[bool] = False
    variables: ClassVar[frozenset[str]] = frozenset({"question"})

    k: Annotated[int, Field(ge=2)] = 10
    """How many first tokens."""
    temperature: Annotated[float, Field(ge=0, le=5)] | None = 0.0

    def flow(self, given: Flow) -> Flow:
        return Flow(
            Amount(0, self.k), tokens=completion(self) + Amount(0, 1), question=given.question
        )

    def asks(self) -> frozenset[Capability]:
        return super().asks() | {Capability.LOGPROBS, Capability.CONTINUATION}

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        first = self._first().prices(given, Amount(1, 1))
        return first, self.prices(given, Amount(0, self.k), depth=Amount(1, 2))

    def roles(self) -> frozenset[str]:
        return frozenset({"solve"})

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        purpose = Purpose("solve", ctx.question.text)
        wishes, messages = Wishes(logprobs=self.k), chat(self, ctx)
        (reply,) = await ctx.sample(self._first(), messages, purpose, range(1), wishes)
        tokens = _likeliest(reply, self.k)
        if not tokens:
            ctx.count_unreadable(reply, "it tells no first token to go on from")
        elif len(tokens) < self.k:
            ctx.note("fewer first tokens", tokens=tokens, wanted=self.k)

        async def drawn(place: int, token: str) -> Candidate:
            draws = range(1 + place, 2 + place)
            (rest,) = await ctx.sample(self, messages, purpose, draws, Wishes(prefix=token))
            return ctx.candidate(replace(rest, text=token + rest.text), index=place)

        for candidate in await ctx.together([drawn(*one) for one in enumerate(tokens)]):
            yield candidate

    def _first(self) -> Branch:
        """Who tells of the first token."""
        return self.model_copy(update={"max_tokens": 1, "temperature": 1.0, "thinking": None})


def _likeliest(reply: Reply, most: int) -> list[str]:
    """The first tokens that can be gone on from, the likeliest first."""
    top = sorted(reply.logprobs[0].top, key=_unlikely)[:most] if reply.logprobs else []
    whole = (token for token, _ in top if token.strip() and _BROKEN not in token)
    return list(dict.fromkeys(whole))


def _unlikely(told: tuple[str, float]) -> float:
    return -told[1]
