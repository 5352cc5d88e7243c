"""Run a plan on one question: one TaskGroup, nothing outlives it."""

from __future__ import annotations

from asyncio import Task, TaskGroup, get_running_loop
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, TypeVar

from ..compiler.errors import (
    BackendError,
    BudgetExhausted,
    NoAnswer,
    RunError,
    StepFailed,
)
from ..compiler.graph import Node
from ..compiler.op import All, Each, Reply, Source
from ..compiler.plan import Plan
from ..compiler.spec import Budget, ModelSpec
from ..compiler.values import NOTHING, Candidate, Json, Question, Usage
from .context import StepContext, first_error
from .events import Bus, Event, Happening
from .ledger import Ledger
from .models import Models
from .questions import recorded
from .result import Lost, Result
from .seeds import derive
from .sending import Sending
from .stream import Decided, Drawn, Inputs, Mapped, Reader, Row

__all__ = ["Program", "Running", "Step"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Wiring:
    """What is the same in every run of a step. `readers` read its output, the result included."""

    node: Node
    size: int
    readers: int
    request_of: tuple[range, ...]
    numbers: tuple[int, ...]


class Program:
    """A plan made ready to run on any number of questions."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @cached_property
    def wirings(self) -> tuple[_Wiring, ...]:
        """The steps in running order."""
        graph = self.plan.graph
        readers = dict.fromkeys(graph.nodes, 0)
        readers[graph.output] += 1
        for node in graph.nodes.values():
            for name in node.inputs:
                readers[name] += 1
        taken: dict[str, int] = {}
        return tuple(
            _Wiring(
                graph.nodes[name],
                self.plan.flows[name].count.high,
                readers[name],
                _requests(graph.nodes[name]),
                _numbers(graph.nodes[name], graph.models, taken),
            )
            for name in graph.order
        )

    @cached_property
    def remaining(self) -> Mapping[str, float]:
        """The calls from each step to the output, its own included, on the longest way."""
        graph = self.plan.graph
        longest: dict[str, float] = {}
        for name in reversed(graph.order):
            after = [longest[reader.name] for reader in graph.readers(name)]
            longest[name] = self.plan.costs[name].depth.high + max(after, default=0.0)
        return longest

    async def run(self, question: Question, models: Models, seed: int, bus: Bus) -> Result:
        """Answer one question.

        Raises `StepFailed`, `BudgetExhausted`, `NoAnswer`; never an exception group.
        """
        running = Running(self, question, models, seed, bus)
        try:
            return await running.result()
        except BaseExceptionGroup as group:
            failure: BaseException = first_error(group)
        except RunError as error:
            failure = error
        running.emit("failed", getattr(failure, "step", ""), -1, {"why": str(failure)})
        raise failure


_NO_BUDGET = Budget()


def _requests(node: Node) -> tuple[range, ...]:
    """For every draw of a source, the draws it is asked for together with."""
    if not isinstance(node.op, Source):
        return ()
    chunks: list[range] = []
    for group in node.op.groups():
        for start in range(group.start, group.stop, node.chunk):
            chunk = range(start, min(start + node.chunk, group.stop))
            chunks += [chunk] * len(chunk)
    return tuple(chunks)


def _numbers(node: Node, models: Mapping[str, ModelSpec], taken: dict[str, int]) -> tuple[int, ...]:
    """For every draw of a source, the how-manyth draw it is of its prompt, model and parameters.

    `taken` counts them over the whole pipeline: two steps with equal prompts draw different
    numbers, for they are independent.
    """
    if not isinstance(node.op, Source):
        return ()
    numbers: list[int] = []
    for group, asking in zip(node.op.groups(), node.op.askings(), strict=True):
        # Two names of one model share its draws.
        model = models[asking.model or ""]
        asked = asking.model_dump(exclude={"n", "members", "model"})
        key = f"{model.model} {model.options} {asked}"
        start = taken.get(key, 0)
        taken[key] = start + len(group)
        numbers += range(start, start + len(group))
    return tuple(numbers)


class Step:
    """A step of one run: its node, its seed, its account, and the work it does for its places."""

    __slots__ = ("_run", "charged", "failed", "ledger", "name", "node", "numbers", "seed")

    def __init__(
        self, run: Running, node: Node, seed: int, ledger: Ledger, numbers: tuple[int, ...]
    ) -> None:
        self.node = node
        self.numbers = numbers
        self.name = node.name
        self.seed = seed
        self.ledger = ledger
        self.charged: dict[int, Usage] = {}
        """What each of its places cost so far."""
        self.failed = 0
        """How many of its places were lost to failures."""
        self._run = run

    def spawn(self, work: Coroutine[Any, Any, T]) -> Task[T]:
        """Start a task within the question's task group."""
        return self._run.group.create_task(work)

    async def draw(self, index: int) -> Candidate | None:
        """Ask for one draw of a source; nothing, if it was lost and may be."""
        context = StepContext(self._run, self)
        try:
            reply = await self._sending(context, range(index, index + 1)).reply()
        except Exception as error:  # noqa: BLE001 -- anybody's operator; `_lose` names the step
            self._lose(index, error)
            return None
        return self._drawn(context, reply)

    async def draw_together(self, draws: range, deliver: Callable[[int, Candidate], None]) -> None:
        """Ask for these draws of a source in one request; deliver each as it finishes, but for
        those that were lost and may be."""
        context = StepContext(self._run, self)
        left = set(draws)

        def drawn(reply: Reply) -> None:
            left.remove(reply.index)
            deliver(reply.index, self._drawn(context, reply))

        try:
            await self._sending(context, draws, drawn).reply()
        except Exception as error:  # noqa: BLE001 -- anybody's operator; `_lose` names the step
            for draw in sorted(left):
                self._lose(draw, error)

    def _sending(
        self, context: StepContext, draws: range, deliver: Callable[[Reply], None] | None = None
    ) -> Sending:
        op = self.node.op
        assert isinstance(op, Source)
        asked = op.drawing(context, draws)
        return context.sending(asked.asking, asked.messages, asked.purpose, draws, deliver)

    def _drawn(self, context: StepContext, reply: Reply) -> Candidate:
        candidate = context.candidate(reply, index=reply.index)
        self.made(reply.index, candidate)
        return candidate

    async def one(self, place: int, candidate: Candidate) -> Candidate | None:
        """What a step on single candidates makes of one."""
        op = self.node.op
        assert isinstance(op, Each)
        try:
            made = await op.one(StepContext(self._run, self, place), candidate)
        except Exception as error:  # noqa: BLE001 -- anybody's operator; `_lose` names the step
            self._lose(place, error)
            return op.unpaid(candidate) if isinstance(error, BudgetExhausted) else None
        if made is None:
            self._run.emit("dropped", self.name, place, {"candidate": candidate.origin.key})
        else:
            self.made(place, made)
        return made

    def decide(self, reader: Reader) -> AsyncIterator[Candidate]:
        """What a deciding step makes of what it reads."""
        op = self.node.op
        assert isinstance(op, All)
        return op.run(StepContext(self._run, self), reader)

    def made(self, place: int, candidate: Candidate) -> None:
        """A place was filled with a candidate."""
        data: dict[str, Json] = {"candidate": candidate.origin.key}
        if candidate.origin.step == self.name:
            data["text"] = candidate.text
            data["answer"] = candidate.answer.text if candidate.answer else None
            if candidate.origin.parents:
                data["parents"] = candidate.origin.parents
        if candidate.scores:
            data["scores"] = dict(candidate.scores)
        if candidate.notes:
            data["notes"] = candidate.notes
        self._run.emit("made", self.name, place, data)

    def rescued(self, error: Exception, read: Sequence[Candidate]) -> Sequence[Candidate]:
        """What a deciding step gives after an error. Raises the error, with the step's name, unless
        the pipeline says how to go on."""
        op = self.node.op
        assert isinstance(op, All)
        self._lose(0, error)
        return op.so_far(read) if isinstance(error, BudgetExhausted) else ()

    def _lose(self, place: int, error: Exception) -> None:
        """Go on without a candidate, if the budget or the step says so; raise otherwise, with the
        step's name."""
        if isinstance(error, BudgetExhausted):
            if not error.best:
                raise error
            self._run.over(self.name, str(error))
        elif isinstance(error, StepFailed):
            raise error
        elif isinstance(error, BackendError) and self.node.at_least is not None:
            self._fail(error, self.node.at_least)
        else:
            raise StepFailed(self.name, error) from error
        self._run.lost.append(Lost(self.name, place, str(error)))
        self._run.emit("lost", self.name, place, {"why": str(error)})

    def _fail(self, error: BackendError, at_least: int) -> None:
        """One more place of the step has failed. Raises if too few are left."""
        self.failed += 1
        if self._run.size(self.name) - self.failed < at_least:
            why = RunError(
                f"{self.failed} failed, so fewer than {at_least} can come; last: {error}"
            )
            raise StepFailed(self.name, why) from error

    def charge(self, place: int, usage: Usage) -> None:
        """Remember what a place cost."""
        known = self.charged.get(place)
        self.charged[place] = usage if known is None else known + usage

    def closed(self, read: int, opened: int) -> None:
        """All readers closed before everything was read."""
        self._run.closed(self, read, opened)


class Running:
    """One question on its way through a program."""

    def __init__(
        self, program: Program, question: Question, models: Models, seed: int, bus: Bus
    ) -> None:
        self.question = question
        self.models = models
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
        self._seed = seed
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
        """The expected length of the path from a step to the output, in calls."""
        return self._program.remaining[step]

    def closed(self, step: Step, read: int, opened: int) -> None:
        """A step's output was closed before everything was read."""
        self._closed.append((step, read))
        self.emit("closed", step.name, -1, {"read": read, "opened": opened})

    async def result(self) -> Result:
        """Start what the output needs, read it, and stop the rest."""
        graph = self._program.plan.graph
        start = self.now()
        told: dict[str, Json] = {"pipeline": graph.name, "seed": self._seed}
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
        root = derive(self._seed, self.question.id)
        for wiring in self._program.wirings:
            node = wiring.node
            seed = derive(root, node.name)
            step = Step(self, node, seed, self._ledgers[node.scope], wiring.numbers)
            rows[node.name] = _row(wiring, step, rows)
        return rows


def _row(wiring: _Wiring, step: Step, rows: Mapping[str, Row]) -> Row:
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
