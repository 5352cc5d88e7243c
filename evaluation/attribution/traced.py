"""The questions of a trace beside the items that they came from, and scores of what is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ...compiler.answers import Answer
from ...compiler.errors import InputError
from ...compiler.plan import Plan
from ...runtime.ledger import Ledger
from ...runtime.result import Result
from ...runtime.trace.outline import Run, outline
from ...runtime.trace.plan import rebuilt
from ...runtime.trace.read import Trace
from ..data.dataset import Dataset
from ..data.item import Item
from ..metrics.chosen import metrics_of
from ..metrics.score import Given, Metric, Opened, score_all

__all__ = ["Scorer", "Traced", "given_by", "scorer", "traced"]


@dataclass(frozen=True, slots=True)
class Traced:
    """The plan of a trace, and its runs that came to an end; `failed` is how many did not."""

    plan: Plan
    runs: tuple[Run, ...]
    failed: int

    def outcome(self, run: Run) -> Given:
        """What a run answered."""
        made = run.outcome(self.plan.graph.output)
        if not made:
            return Given(None, "")
        kind = self.plan.graph.nodes[self.plan.graph.output].answer.name
        answer = None if made[0].answer is None else Answer(made[0].answer, kind)
        return Given(answer, made[0].text or "")


def traced(trace: Trace) -> Traced:
    """A trace ready to be run again. Raises `VersionMismatch`, and `InputError` if none of its
    questions came to an end."""
    runs = outline(trace.events)
    ended = tuple(run for run in runs if run.end == "ended")
    if not ended:
        raise InputError("the trace holds no question that was answered")
    return Traced(rebuilt(trace.header.plan, trace.header.polyarch), ended, len(runs) - len(ended))


def given_by(result: Result) -> Given:
    """What a run answers."""
    best = result.best
    return Given(None, "") if best is None else Given(best.answer, best.text)


class Scorer:
    """Scores answers to the items of a data set, by the ids of the questions."""

    def __init__(self, items: Mapping[str, Item], metrics: Mapping[str, Metric]) -> None:
        self._items = items
        self._metrics = metrics

    def item(self, id: str) -> Item:
        """The item of a question. Raises `InputError` if there is none."""
        if id not in self._items:
            raise InputError(f"question {id!r} of the trace is not in the data; ids must be equal")
        return self._items[id]

    async def __call__(self, id: str, given: Sequence[Given]) -> list[float]:
        """The scores of answers to one question."""
        item = self.item(id)
        scores = await score_all(self._metrics[item.metric], item, given)
        return [score.value for score in scores]


@asynccontextmanager
async def scorer(
    data: Dataset, metric: str | Mapping[str, Any] | Metric | None, account: Ledger
) -> AsyncIterator[Scorer]:
    """A scorer by the data's own metrics or by the one given; what scoring asks is charged."""
    metrics, _ = metrics_of(data, metric)
    async with AsyncExitStack() as opened:
        for each in dict.fromkeys(metrics.values()):
            if isinstance(each, Opened):
                await opened.enter_async_context(each.opened(account))
        yield Scorer({item.id: item for item in data.items}, metrics)
