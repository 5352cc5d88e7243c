"""What the methods of `verify` have in common: what they find, and what they say of themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from ..compiler.op import Amount, Calls, Context, Flow
from ..compiler.values import Candidate, Json, Usage
from ._asks import with_repair

if TYPE_CHECKING:
    from .verify import Verify

__all__ = ["Check", "Found", "Judged", "Method"]

Judged: TypeAlias = Literal["right", "wrong", "unreadable"]


@dataclass(frozen=True, slots=True)
class Check:
    """One verdict: what it is of, if not of the whole candidate, and what decided it."""

    verdict: Judged
    why: str = ""
    of: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out about a candidate, and what that cost. `listed` says that the note names
    every check; `why` stands for a reason where there is no check."""

    checks: tuple[Check, ...]
    usage: Usage
    listed: bool = False
    why: str | None = None

    @property
    def score(self) -> float | None:
        """The share of right among readable verdicts; None without any."""
        right, wrong = self._count("right"), self._count("wrong")
        return right / (right + wrong) if right + wrong else None

    @property
    def note(self) -> dict[str, Json]:
        """The counts of verdicts, and the reason of the last readable one."""
        read = [check.why for check in self.checks if check.verdict != "unreadable"]
        note: dict[str, Json] = {
            "right": self._count("right"),
            "wrong": self._count("wrong"),
            "unreadable": self._count("unreadable"),
            "reason": read[-1] if read else self.why,
        }
        if self.listed:
            note["checks"] = [
                {"of": check.of, "verdict": check.verdict, "why": check.why}
                for check in self.checks
            ]
        return note

    def _count(self, verdict: Judged) -> int:
        return sum(check.verdict == verdict for check in self.checks)


class Method(ABC):
    """A way to find out whether a candidate is right. What it promises holds for every `Verify` of
    that method."""

    prompt: ClassVar[str] = ""
    """The prompt that a pipeline may replace; empty if nobody is asked."""
    shown: ClassVar[frozenset[str]] = frozenset({"question", "candidate"})
    """What that prompt may name."""
    required: ClassVar[frozenset[str]] = frozenset({"candidate"})
    """What it must name."""
    takes: ClassVar[frozenset[str]] = frozenset()
    """The operator's arguments that only some methods take, as far as this one does."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """Those of them that must be given."""

    def asks(self, op: Verify) -> bool:
        """Whether a model is asked."""
        return True

    @abstractmethod
    def roles(self, op: Verify) -> frozenset[str]:
        """The purposes of its requests."""

    def calls(self, op: Verify, given: Flow) -> tuple[Calls, ...]:
        """Bounds on the calls made: here `votes` a candidate, each with a repair turn."""
        count = given.count * Amount(op.votes, op.votes)
        return (with_repair(op.prices(given, count, shown=Amount(1, 1))),)

    @abstractmethod
    async def found(self, op: Verify, ctx: Context, candidate: Candidate) -> Found:
        """What it finds out about a candidate."""
