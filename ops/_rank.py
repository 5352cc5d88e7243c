"""What the methods of `rank` have in common: what each asks and shows, and what it comes to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from ..compiler.model import Capability
from ..compiler.op import Amount, Context, Flow, Shown, Stream
from ..compiler.values import Candidate, Usage
from ._asks import PARSED

if TYPE_CHECKING:
    from .rank import Rank

__all__ = ["Asks", "Found", "Method"]


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
