"""Run a plan on one question: one TaskGroup, nothing outlives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from ..compiler.errors import (
    BudgetExhausted,
    NoAnswer,
    PolyarchError,
    RunError,
)
from ..compiler.graph import Node
from ..compiler.lacks import lacks
from ..compiler.op import All, Each, Source
from ..compiler.plan import Plan
from ..compiler.spec import Budget
from ..compiler.values import Candidate, Json, Question
from .context import first_error
from .events import Bus
from .executors import Executors
from .gate import GatedStep
from .ledger import BATCH, Ledger
from .models import Models
from .paths import Paths
from .questions import recorded
from .result import Result
from .seeds import derive
from .state import Run, StepState, Watching, Writing
from .step import Step
from .store import Store
from .stream import Arrivals, Decided, Drawn, Inputs, Mapped, Reader, Row
from .tools.calling import Caller
from .tools.toolbox import Toolbox
from .wiring import Wiring, wirings

__all__ = ["Program"]


class Program:
    """A plan made ready to run on any number of questions."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._paths = Paths(plan)

    @cached_property
    def _without(self) -> tuple[Mapping[str, Json], ...]:
        """What the steps do without, since their models do not offer it."""
        return tuple(
            {
                "step": lack.step,
                "model": lack.model,
                "capability": lack.capability.value,
                "instead": lack.instead,
            }
            for lack in lacks(self.plan.graph)
        )

    @cached_property
    def wirings(self) -> tuple[Wiring, ...]:
        """The steps in running order."""
        return wirings(self.plan)

    async def run(
        self,
        question: Question,
        models: Models,
        seed: int,
        bus: Bus,
        stores: tuple[Store, ...],
        tools: Toolbox | Caller,
        outer: Ledger | None = None,
        executors: Executors | None = None,
        *,
        keep_going: bool = False,
        writing: Callable[[int, str], None] | None = None,
        watching: Watching | None = None,
    ) -> Result:
        """Answer one question. `outer` is the account of the batch it belongs to; `writing` is told
        the candidates' texts while they are written, where that can be; `watching` is told those of
        all steps.

        Raises `StepFailed`, `BudgetExhausted`, `NoAnswer`; never an exception group. With
        `keep_going` the result holds the error instead, but for that of a spent batch.
        """
        run = Run(
            question,
            models,
            self._paths,
            seed,
            bus,
            stores,
            tools,
            executors or Executors(),
            self._writing(writing),
            watching,
        )
        ledgers, start = _ledgers(self.plan, outer), run.now()
        try:
            return await self._result(run, ledgers, start)
        except BaseExceptionGroup as group:
            failure: BaseException = first_error(group)
        except RunError as error:
            failure = error
        run.emit("failed", getattr(failure, "step", ""), -1, {"why": str(failure)})
        if keep_going and isinstance(failure, PolyarchError) and not _spent_batch(failure):
            return self._told(run, ledgers, start, (), failure)
        raise failure

    def _writing(self, tell: Callable[[int, str], None] | None) -> Writing | None:
        output = self.plan.graph.nodes[self.plan.graph.output]
        return Writing(output.name, tell) if tell is not None and output.op.verbatim else None

    async def _result(self, run: Run, ledgers: Mapping[str, Ledger], start: float) -> Result:
        """Start what the output needs, read it, and stop the rest."""
        graph = self.plan.graph
        told: dict[str, Json] = {"pipeline": graph.name, "seed": run.seed}
        run.emit("started", "", -1, told | {"question": recorded(run.question)})
        for without in self._without:
            run.emit("without", "", -1, without)
        async with run.group:
            output = Reader(Inputs([self._rows(run, ledgers)[graph.output]]), None)
            try:
                candidates = tuple(await output.all())
            finally:
                output.close()
        self._check(run, candidates)
        seconds = run.now() - start
        run.emit("ended", "", -1, {"seconds": seconds, "candidates": len(candidates)})
        return self._told(run, ledgers, start, candidates)

    def _told(
        self,
        run: Run,
        ledgers: Mapping[str, Ledger],
        start: float,
        candidates: tuple[Candidate, ...],
        error: PolyarchError | None = None,
    ) -> Result:
        order = self.plan.graph.order
        return Result(
            run.question,
            candidates,
            ledgers[""].spent,
            run.unread,
            "; ".join(run.stopped[name] for name in order if name in run.stopped),
            tuple(sorted(run.lost, key=lambda one: (order.index(one.step), one.place))),
            run.now() - start,
            run.happened,
            error,
        )

    def _check(self, run: Run, candidates: tuple[Candidate, ...]) -> None:
        """Raise unless there are as many candidates as the plan promises."""
        graph = self.plan.graph
        if len(candidates) > graph.keep:
            raise RunError(f"{graph.name} gave {len(candidates)} candidates, not {graph.keep}")
        promised = self.plan.flows[graph.output].count.low
        if not candidates and promised and not run.lost:
            raise NoAnswer(f"{graph.name} ended without a candidate")

    def _rows(self, run: Run, ledgers: Mapping[str, Ledger]) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        root = derive(run.seed, run.question.id)
        for wiring in self.wirings:
            node = wiring.node
            state = StepState(run, wiring, derive(root, node.name), ledgers[node.scope])
            rows[node.name] = _row(wiring, _step(state, node, rows), rows)
        return rows


def _spent_batch(error: PolyarchError) -> bool:
    """Whether no other question of the batch could be answered, either."""
    return isinstance(error, BudgetExhausted) and error.account == BATCH


_NO_BUDGET = Budget()


def _step(state: StepState, node: Node, rows: Mapping[str, Row]) -> Step:
    if not node.waits_for:
        return Step(state)
    return GatedStep(state, rows.get(node.gate), rows.get(node.topic))


def _row(wiring: Wiring, step: Step, rows: Mapping[str, Row]) -> Row:
    node = wiring.node
    if isinstance(node.op, Source):
        return Drawn(wiring.size, wiring.readers, step, wiring.request_of)
    inputs = Inputs([rows[name] for name in node.inputs])
    if isinstance(node.op, Each):
        return Mapped(wiring.readers, step, inputs)
    return Decided(wiring.size, wiring.readers, step, _reader(node, inputs))


def _reader(node: Node, inputs: Inputs) -> Reader:
    reading = node.op.reading if isinstance(node.op, All) else "joined"
    return (
        Arrivals(inputs)
        if reading == "arrival"
        else Reader(inputs, node.window, apart=reading == "first")
    )


def _ledgers(plan: Plan, around: Ledger | None) -> dict[str, Ledger]:
    """An account for the question and for each scope within it, outermost first; `around` them that
    of the batch, if it has one."""
    graph = plan.graph
    ledgers = {"": Ledger(graph.name, graph.budgets.get("", _NO_BUDGET), around)}
    for node in graph.nodes.values():
        parts = node.scope.split(".") if node.scope else []
        for depth in range(1, len(parts) + 1):
            scope, outer = ".".join(parts[:depth]), ".".join(parts[: depth - 1])
            if scope not in ledgers:
                limits = graph.budgets.get(scope, _NO_BUDGET)
                ledgers[scope] = Ledger(scope, limits, ledgers[outer])
    return ledgers
