"""What a metric is, and what it says of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from ...compiler.answers import Answer
from ...compiler.values import NOTHING, Json, Usage
from ...runtime.ledger import Ledger
from ...runtime.store import Store
from ..data.item import Item

__all__ = ["NO_USAGE", "Given", "Metric", "Opened", "Score", "ScoresTogether", "score_all"]


NO_USAGE = Usage()
"""Nothing was spent."""


def _nothing() -> Mapping[str, Json]:
    return NOTHING


@dataclass(frozen=True, slots=True)
class Score:
    """How good an answer is: `value` between 0 and 1, unless the metric says otherwise.

    `parsed` is whether there was an answer to score. `usage` is what scoring itself cost.
    """

    value: float
    parsed: bool = True
    detail: Mapping[str, Json] = field(default_factory=_nothing)
    usage: Usage = NO_USAGE


class Given(NamedTuple):
    """An answer to be scored, with the text that it was read out of."""

    answer: Answer | None
    text: str


class Metric(Protocol):
    """Scores answers. Handed in as an object or named; see `metric`."""

    name: str

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """How good an answer to an item is; None is *no answer*. Raises `InputError` for an item
        that lacks what the metric needs."""


@runtime_checkable
class ScoresTogether(Protocol):
    """A metric for which several answers to one item cost less together."""

    async def score_together(self, item: Item, given: Sequence[Given]) -> list[Score]:
        """The scores, in the order given."""


@runtime_checkable
class Opened(Protocol):
    """A metric that asks models itself, and is charged for it."""

    def opened(
        self, account: Ledger, stores: Sequence[Store] = ()
    ) -> AbstractAsyncContextManager[None]:
        """Ready to score while inside; what it asks is charged to the account, and what `stores`
        hold is not asked for again."""


async def score_all(metric: Metric, item: Item, given: Sequence[Given]) -> list[Score]:
    """The scores of several answers to one item, in the order given; equal ones scored once."""
    distinct = list(dict.fromkeys(given))
    if isinstance(metric, ScoresTogether):
        scores = await metric.score_together(item, distinct)
    else:
        scores = [await metric.score(item, one.answer, one.text) for one in distinct]
    if len(distinct) == len(given):
        return scores
    known = dict(zip(distinct, scores, strict=True))
    return [known[one] for one in given]
