"""Run a plan on one question: one TaskGroup, nothing outlives it."""

from __future__ import annotations

from asyncio import TaskGroup, get_running_loop
from collections.abc import Mapping
from functools import cached_property
from random import Random

from ..compiler.errors import (
    NoAnswer,
    RunError,
)
from ..compiler.op import Each, Source
from ..compiler.plan import Plan
from ..compiler.spec import Budget
from ..compiler.values import NOTHING, Json, Question, Usage
from .context import first_error
from .events import Bus, Event, Happening
from .ledger import Ledger
from .models import Models
from .paths import Paths
from .questions import recorded
from .recall import Store
from .result import Lost, Result
from .seeds import derive
from .step import Step
from .stream import Decided, Drawn, Inputs, Mapped, Reader, Row
from .wiring import Wiring, wirings

__all__ = ["Program", "Running"]


class Program:
    """A plan made ready to run on any number of questions."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.paths = Paths(plan)
        """What is learned of how long steps take, over all questions."""

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
        stores: tuple[Store, ...] = (),
    ) -> Result:
        """Answer one question.

        Raises `StepFailed`, `BudgetExhausted`, `NoAnswer`; never an exception group.
        """
        running = Running(self, question, models, seed, bus, stores)
        try:
            return await running.result()
        except BaseExceptionGroup as group:
            failure: BaseException = first_error(group)
        except RunError as error:
            failure = error
        running.emit("failed", getattr(failure, "step", ""), -1, {"why": str(failure)})
        raise failure


_NO_BUDGET = Budget()


class Running:
    """One question on its way through a program."""

    def __init__(
        self,
        program: Program,
        question: Question,
        models: Models,
        seed: int,
        bus: Bus,
        stores: tuple[Store, ...],
    ) -> None:
        self.question = question
        self.models = models
        self.seed = seed
        self.stores = stores
        """Where replies may be that need not be asked for."""
        self.group = TaskGroup()
        """Everything of this run happens in it."""
        self.stopped: dict[str, str] = {}
        """Why steps stopped early, one line each, by step."""
        self.now = get_running_loop().time
        """The event loop's clock, in seconds."""
        self.lost: list[Lost] = []
        """What failed, or the budget did not reach, and was gone on without."""
        self.jitter = Random(derive(seed, question.id, "jitter"))
        """Randomness of waits between attempts; it decides no answer."""
        self._program = program
        self._bus = bus
        self._trace: list[Happening] = []
        self._closed: list[tuple[Step, int]] = []
        self._ledgers = _ledgers(program.plan)

    def emit(self, what: str, step: str, place: int, data: Mapping[str, Json] = NOTHING) -> None:
        """Something happened."""
        at = self.now()
        self._trace.append((what, step, place, at, data))
        if self._bus.listened:
            self._bus.emit(Event(what, self.question.id, step, place, at, data))

    def over(self, step: str, why: str) -> None:
        """A budget is spent and the pipeline goes on with what it has."""
        self.stopped.setdefault(step, why)

    def size(self, step: str) -> int:
        """How many candidates a step can give at most."""
        return self._program.plan.flows[step].count.high

    def remaining(self, step: str) -> float:
        """The expected length of the path from a step to the output, in seconds."""
        return self._program.paths.remaining(step)

    def took(self, step: str, seconds: float) -> None:
        """A request of a step was answered after so many seconds."""
        self._program.paths.learn(step, seconds)

    def closed(self, step: Step, read: int, opened: int) -> None:
        """A step's output was closed before everything was read."""
        self._closed.append((step, read))
        self.emit("closed", step.name, -1, {"read": read, "opened": opened})

    async def result(self) -> Result:
        """Start what the output needs, read it, and stop the rest."""
        graph = self._program.plan.graph
        start = self.now()
        told: dict[str, Json] = {"pipeline": graph.name, "seed": self.seed}
        told["question"] = recorded(self.question)
        self.emit("started", "", -1, told)
        async with self.group:
            output = Reader(Inputs([self._rows()[graph.output]]), None)
            try:
                candidates = tuple(await output.all())
            finally:
                output.close()
        if len(candidates) > graph.keep:
            raise RunError(f"{graph.name} gave {len(candidates)} candidates, not {graph.keep}")
        promised = self._program.plan.flows[graph.output].count.low
        if not candidates and promised and not self.lost:
            raise NoAnswer(f"{graph.name} ended without a candidate")
        seconds = self.now() - start
        self.emit("ended", "", -1, {"seconds": seconds, "candidates": len(candidates)})
        return Result(
            self.question,
            candidates,
            self._ledgers[""].spent,
            self._unread(),
            "; ".join(self.stopped[n] for n in graph.order if n in self.stopped),
            tuple(sorted(self.lost, key=lambda one: (graph.order.index(one.step), one.place))),
            seconds,
            self._trace,
        )

    def _unread(self) -> Usage:
        """What was spent on places that nobody read."""
        unread = [
            usage
            for step, read in self._closed
            for place, usage in step.charged.items()
            if place >= read
        ]
        return sum(unread, Usage())

    def _rows(self) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        root = derive(self.seed, self.question.id)
        for wiring in self._program.wirings:
            node = wiring.node
            seed = derive(root, node.name)
            step = Step(self, wiring, seed, self._ledgers[node.scope])
            rows[node.name] = _row(wiring, step, rows)
        return rows


def _row(wiring: Wiring, step: Step, rows: Mapping[str, Row]) -> Row:
    node = wiring.node
    if isinstance(node.op, Source):
        return Drawn(wiring.size, wiring.readers, step, wiring.request_of)
    inputs = Inputs([rows[name] for name in node.inputs])
    if isinstance(node.op, Each):
        return Mapped(wiring.readers, step, inputs)
    return Decided(wiring.size, wiring.readers, step, Reader(inputs, node.window))


def _ledgers(plan: Plan) -> dict[str, Ledger]:
    """An account for the question and for each pipeline used as a step, outermost first."""
    graph = plan.graph
    ledgers = {"": Ledger(graph.name, graph.budgets.get("", _NO_BUDGET))}
    for node in graph.nodes.values():
        parts = node.scope.split(".") if node.scope else []
        for depth in range(1, len(parts) + 1):
            scope, outer = ".".join(parts[:depth]), ".".join(parts[: depth - 1])
            if scope not in ledgers:
                limits = graph.budgets.get(scope, _NO_BUDGET)
                ledgers[scope] = Ledger(scope, limits, ledgers[outer])
    return ledgers
