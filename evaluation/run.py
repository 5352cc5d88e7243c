"""Evaluate pipelines: the same items and seeds for all, records as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

from ..compiler.errors import BudgetExhausted, InputError
from ..compiler.plan import Plan
from ..compiler.spec import Budget
from ..compiler.unpriced import refuse_dollars
from ..compiler.values import Json, Usage, total
from ..runtime.cache import Cache
from ..runtime.events import Listener
from ..runtime.ledger import BATCH, Ledger
from ..runtime.ordered import in_order
from ..runtime.session import Session
from ..runtime.store import Store
from .asking import Contender, Task, ask
from .data.dataset import Dataset
from .judges.null import null_score
from .metrics.chosen import metrics_of
from .metrics.score import Metric, Opened
from .outfile import OutFile, open_out
from .record import Record

__all__ = ["Evaluation", "Heard", "Opens", "evaluate"]


class Opens(Protocol):
    """What has a plan and can open a session with it, as a `Pipeline` can."""

    @property
    def plan(self) -> Plan:
        """What it runs."""

    def session(self, *, stores: Iterable[Store] = ()) -> Session:
        """A session of its own. `stores` hold replies that need not be asked for."""


NOBODY: Mapping[str, Iterable[Listener]] = MappingProxyType({})
"""No listeners for any pipeline."""

Heard: TypeAlias = Callable[[Record], None]
"""Is told every record as it is there."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of an evaluation. `records` are in the order of items, then pipelines, then seeds.

    `pipelines` are the names with the digests of their plans, `metric` names what scored, `stopped`
    says why it ended before all was asked, "" if it did not. `spent` is everything, judging and
    failures included.
    """

    data: Dataset
    pipelines: Mapping[str, str]
    metric: str
    seeds: tuple[int, ...]
    records: tuple[Record, ...]
    spent: Usage
    stopped: str = ""
    null: float | None = None
    """What one constant answer scores, where a judge was checked so."""

    def of(self, pipeline: str) -> tuple[Record, ...]:
        """The records of one pipeline."""
        return tuple(record for record in self.records if record.pipeline == pipeline)


async def evaluate(
    pipelines: Mapping[str, Plan | Opens],
    data: Dataset,
    *,
    metric: str | Mapping[str, Any] | Metric | None = None,
    seeds: Sequence[int] = (0,),
    out: Path | None = None,
    concurrency: int = 64,
    budget: Budget | None = None,
    progress: Heard | None = None,
    stores: Iterable[Store] = (),
    candidates: bool = True,
    null: int = 0,
    listeners: Mapping[str, Iterable[Listener]] = NOBODY,
) -> Evaluation:
    """Ask every pipeline every item with every seed, and score the answers.

    `metric` stands for those of the data. With `out`, records are written as they come, in order,
    and an evaluation that was interrupted goes on where it stopped and pays for no reply that had
    arrived. `budget` is for everything together and kept exactly; where it is spent, the evaluation
    ends with the records that there are. An item that fails is a record with its error. `stores`
    keep replies for all pipelines: with one, equal requests of several are the same draws.
    `candidates` says whether those of all steps are scored beside the result. A judge is also given
    one constant answer to `null` of the items, which it should not prefer. `listeners`, by the
    names of the pipelines, are told every event of their runs.

    Raises `InputError`, `PlanRefused`, `MissingPackage`, `SandboxFailed`.
    """
    if not pipelines or not data.items or not seeds or len(set(seeds)) < len(seeds):
        raise InputError(
            "an evaluation has a pipeline, an item and a seed at least, each seed once"
        )
    metrics, told = metrics_of(data, metric)
    asked = _Asked(pipelines, data, metrics, told, tuple(seeds), candidates)
    account = _account(asked, budget)
    async with AsyncExitStack() as opened:
        kept = opened.enter_context(open_out(out, asked.head))
        account.settle(None, total(one.usage + one.judging for one in kept.done))
        for each in dict.fromkeys(metrics.values()):
            if isinstance(each, Opened):
                await opened.enter_async_context(each.opened(account))
        contenders = await _contenders(asked, opened, tuple(stores), out, listeners)
        checked = await _null(data, metrics, null)
        records, stopped = await _answered(asked, contenders, account, kept, concurrency, progress)
    if out is not None and not stopped and not any(record.error for record in records):
        for path in _journals(asked, out):
            for end in ("", "-wal", "-shm"):
                path.with_name(path.name + end).unlink(missing_ok=True)
    return Evaluation(
        data, asked.digests, told, asked.seeds, records, account.spent, stopped, checked
    )


@dataclass(frozen=True)
class _Asked:
    """What is to be evaluated."""

    pipelines: Mapping[str, Plan | Opens]
    data: Dataset
    metrics: Mapping[str, Metric]
    metric: str
    seeds: tuple[int, ...]
    candidates: bool

    @cached_property
    def plans(self) -> Mapping[str, Plan]:
        """The plans by the names of the pipelines."""
        return {n: one if isinstance(one, Plan) else one.plan for n, one in self.pipelines.items()}

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """The digests of the plans."""
        return {name: made.digest for name, made in self.plans.items()}

    @property
    def head(self) -> Mapping[str, Json]:
        """What tells this evaluation from others."""
        return {
            "name": self.data.name,
            "split": self.data.split,
            "data": self.data.fingerprint,
            "metric": self.metric,
            "pipelines": dict(self.digests),
            "seeds": [*self.seeds],
        }

    @property
    def tasks(self) -> Iterator[Task]:
        """Everything that is asked. Items come first, so that an evaluation that ends early has
        asked all pipelines about as much."""
        for item in self.data.items:
            for name in self.pipelines:
                for seed in self.seeds:
                    yield Task(name, item, seed)


async def _null(data: Dataset, metrics: Mapping[str, Metric], count: int) -> float | None:
    """What a constant answer scores by the judges among the metrics."""
    judged = [item for item in data.items if isinstance(metrics[item.metric], Opened)][:count]
    if not judged:
        return None
    return await null_score(metrics[judged[0].metric], judged)


async def _answered(
    asked: _Asked,
    contenders: Mapping[str, Contender],
    account: Ledger,
    kept: OutFile,
    concurrency: int,
    progress: Heard | None,
) -> tuple[tuple[Record, ...], str]:
    """All records in their order, and why there are no more."""
    records = {(one.pipeline, one.item, one.seed): one for one in kept.done}
    heard = progress or (lambda _: None)
    for record in kept.done:
        heard(record)

    async def work(task: Task) -> Record:
        return await ask(contenders[task.pipeline], task, account)

    def left() -> Iterator[Task]:
        return (task for task in asked.tasks if _key(task) not in records)

    stopped = ""
    try:
        async with aclosing(in_order(work, _each(left()), concurrency)) as made:
            async for task, record in made:
                kept.write(record)
                records[_key(task)] = record
                heard(record)
    except BudgetExhausted as error:
        stopped = str(error)
    order = (_key(task) for task in asked.tasks)
    return tuple(records[key] for key in order if key in records), stopped


def _key(task: Task) -> tuple[str, str, int]:
    return task.pipeline, task.item.id, task.seed


async def _each(tasks: Iterator[Task]) -> AsyncGenerator[Task, None]:
    for task in tasks:
        yield task


def _account(asked: _Asked, budget: Budget | None) -> Ledger:
    if budget is not None:
        for made in asked.plans.values():
            refuse_dollars(made.graph, budget)
    return Ledger(BATCH, budget or Budget())


async def _contenders(
    asked: _Asked,
    opened: AsyncExitStack,
    stores: tuple[Store, ...],
    out: Path | None,
    listeners: Mapping[str, Iterable[Listener]],
) -> Mapping[str, Contender]:
    made: dict[str, Contender] = {}
    journals: Sequence[Path | None] = _journals(asked, out) or [None] * len(asked.pipelines)
    scored = asked.candidates and all(
        getattr(each, "candidates", True) for each in asked.metrics.values()
    )
    for (name, one), path in zip(asked.pipelines.items(), journals, strict=True):
        session = (
            Session(one, stores=stores) if isinstance(one, Plan) else one.session(stores=stores)
        )
        await opened.enter_async_context(session)
        journal = None
        if path is not None:
            cache = Cache(path)
            opened.callback(cache.close)
            journal = Store(cache, paid=True)
        heard = tuple(listeners.get(name, ()))
        made[name] = Contender(name, session, asked.metrics, scored, journal, heard)
    return made


def _journals(asked: _Asked, out: Path | None) -> list[Path]:
    """Where replies are kept until their records are written: one file a pipeline, for a journal's
    replies are charged to whoever asked."""
    if out is None:
        return []
    told = [f"{name} {asked.digests[name]} {asked.data.fingerprint}" for name in asked.pipelines]
    ends = [sha256(one.encode()).hexdigest()[:12] for one in told]
    return [out.with_name(f".{out.name}.{end}.journal") for end in ends]
