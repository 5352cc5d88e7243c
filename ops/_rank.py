"""What the methods of `rank` have in common: what each asks and shows, and what it comes to."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from ..compiler.model import Capability
from ..compiler.op import Amount, Context, Flow, Shown, Stream
from ..compiler.values import Candidate, Usage
from ._asks import PARSED

if TYPE_CHECKING:
    from .rank import Rank

__all__ = ["Asks", "Coming", "Found", "Method"]


@dataclass(frozen=True, slots=True)
class Asks:
    """How many first calls a method makes, how many candidates each shows, and how many follow one
    another."""

    count: Amount
    shown: Amount
    depth: Amount


Score: TypeAlias = "float | None"
"""Between 0 and 1; None where nothing readable was said."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a method makes of the candidates, in index order: a score of each, and what judging it
    alone cost."""

    candidates: Sequence[Candidate]
    scores: Sequence[Score]
    spent: Sequence[Usage] = ()


class Coming:
    """Candidates as they are read, so that work on some starts before the others are there.

    Waiting for a place that will stay empty gives None.
    """

    def __init__(self, given: Stream) -> None:
        self._given = given
        self.most = given.left
        loop = asyncio.get_running_loop()
        self._places: list[asyncio.Future[Candidate | None]] = [
            loop.create_future() for _ in range(self.most)
        ]

    async def read(self) -> list[Candidate]:
        """Read everything; what is waited for is told on the way."""
        read: list[Candidate] = []
        async for candidate in self._given:
            self._places[len(read)].set_result(candidate)
            read.append(candidate)
        for place in self._places[len(read) :]:
            place.set_result(None)
        return read

    async def at(self, place: int) -> Candidate | None:
        """The candidate that is read in that place, from 0."""
        return await self._places[place]

    async def alongside(
        self, ctx: Context, jobs: Sequence[Coroutine[Any, Any, None]]
    ) -> list[Candidate]:
        """Do jobs that wait for candidates while these are read; all that was read."""
        read: list[Candidate] = []

        async def reading() -> None:
            read.extend(await self.read())

        await ctx.together([reading(), *jobs])
        return read


class Method(ABC):
    """A way to put candidates in order. What it promises holds for every `Rank` of that method."""

    prompt: ClassVar[str] = ""
    """The prompt that a pipeline may replace; empty if nobody is asked in words."""
    shown: ClassVar[frozenset[str]] = frozenset()
    """What that prompt may name beside the question and the criterion."""
    role: ClassVar[str]
    """The purpose of its requests."""
    takes: ClassVar[frozenset[str]] = frozenset()
    """The operator's arguments that only some methods take, as far as this one does."""
    most_orders: ClassVar[int | None] = 2
    """The most orders in which the same candidates are shown; None for any number."""

    @abstractmethod
    def asked(self, op: Rank, given: Flow) -> Asks:
        """Bounds on what is asked, repair turns apart."""

    @abstractmethod
    def shows(self, op: Rank, given: Flow) -> Mapping[str, Shown]:
        """How its prompt shows candidates."""

    def asks(self) -> frozenset[Capability]:
        """What the model must offer."""
        return frozenset()

    def prefers(self) -> Mapping[Capability, str]:
        """What is used where the model offers it."""
        return PARSED

    @abstractmethod
    async def found(self, op: Rank, ctx: Context, given: Stream) -> Found:
        """Read the candidates and score them."""
