"""Run a plan on one question: one TaskGroup, nothing outlives it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from ..compiler.errors import (
    NoAnswer,
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
from .gate import GatedStep
from .ledger import Ledger
from .models import Models
from .paths import Paths
from .questions import recorded
from .result import Result
from .seeds import derive
from .state import Run, StepState
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
    ) -> Result:
        """Answer one question. `outer` is the account of the batch it belongs to.

        Raises `StepFailed`, `BudgetExhausted`, `NoAnswer`; never an exception group.
        """
        run = Run(question, models, self._paths, seed, bus, stores, tools)
        try:
            return await self._result(run, outer)
        except BaseExceptionGroup as group:
            failure: BaseException = first_error(group)
        except RunError as error:
            failure = error
        run.emit("failed", getattr(failure, "step", ""), -1, {"why": str(failure)})
        raise failure

    async def _result(self, run: Run, outer: Ledger | None) -> Result:
        """Start what the output needs, read it, and stop the rest."""
        graph, start = self.plan.graph, run.now()
        ledgers = _ledgers(self.plan, outer)
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
        return Result(
            run.question,
            candidates,
            ledgers[""].spent,
            run.unread,
            "; ".join(run.stopped[name] for name in graph.order if name in run.stopped),
            tuple(sorted(run.lost, key=lambda one: (graph.order.index(one.step), one.place))),
            seconds,
            run.happened,
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
