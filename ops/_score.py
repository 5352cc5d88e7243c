"""What the methods of `score` have in common: what they find, and what they say of themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..compiler.model import Capability
from ..compiler.op import Calls, Context, Flow
from ..compiler.values import Candidate, Json, Usage

if TYPE_CHECKING:
    from .score import Score

__all__ = ["Found", "Method"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a method found of a candidate: its score, None where it cannot be read; what that cost;
    and what is noted beside it."""

    score: float | None
    usage: Usage
    note: Json = None


class Method(ABC):
    """A way to score a candidate. What it promises holds for every `Score` by that method."""

    prompt: ClassVar[str] = ""
    """The prompt that a pipeline may replace; empty where that is the question's own chat."""
    shown: ClassVar[frozenset[str]] = frozenset({"question"})
    """What a prompt of the pipeline may name."""
    required: ClassVar[frozenset[str]] = frozenset()
    """What it must name."""
    takes: ClassVar[frozenset[str]] = frozenset()
    """The operator's arguments that only some methods take, as far as this one does."""
    needs: ClassVar[frozenset[Capability]] = frozenset()
    """What the model must offer."""
    prefers: ClassVar[Mapping[Capability, str]] = {}
    """What is used where the model offers it."""
    writes: ClassVar[bool] = False
    """Whether the model writes a reply, so that the model's own bounds and parameters hold."""
    notes: ClassVar[frozenset[str]] = frozenset()
    """The note that it adds beside the score."""

    @abstractmethod
    def roles(self, op: Score) -> frozenset[str]:
        """The purposes of its requests."""

    @abstractmethod
    def calls(self, op: Score, given: Flow) -> tuple[Calls, ...]:
        """Bounds on the calls made."""

    @abstractmethod
    async def found(self, op: Score, ctx: Context, candidate: Candidate) -> Found:
        """What it finds. What cannot be read is counted by the method itself."""
