"""What answers are worth when a wrong one costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ...compiler.answers import Answer
from ..data.item import Item
from .score import Metric, Score

__all__ = ["Utility"]


@dataclass(frozen=True, eq=False)
class Utility:
    """What another metric calls right earns `right`, what it calls wrong costs `wrong`, and no
    answer is worth `silent`; a score between counts in proportion. Not bounded by 0 and 1."""

    name: ClassVar[str] = "utility"

    of: str | Mapping[str, object] = "exact"
    right: float = 1.0
    wrong: float = 1.0
    silent: float = 0.0
    _inner: Metric = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from .named import metric

        object.__setattr__(self, "_inner", metric(self.of))

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """The worth of an answer."""
        inner = await self._inner.score(item, answer, text)
        if not inner.parsed:
            return Score(self.silent, False, inner.detail, inner.usage)
        worth = inner.value * self.right - (1 - inner.value) * self.wrong
        return Score(worth, True, {**inner.detail, "score": inner.value}, inner.usage)
