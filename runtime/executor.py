"""Run a plan on one question: one TaskGroup, nothing outlives it."""

from __future__ import annotations

import asyncio
from asyncio import Task, TaskGroup, get_running_loop
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..compiler.errors import (
    BudgetExhausted,
    NoAnswer,
    PolyarchError,
    RunError,
    StepFailed,
)
from ..compiler.graph import Node
from ..compiler.op import All, Each, Source
from ..compiler.plan import Plan
from ..compiler.spec import Budget
from ..compiler.values import NOTHING, Candidate, Json, Question, Usage
from .context import StepContext
from .events import Bus, Event
from .ledger import Ledger
from .models import Models
from .result import Result
from .seeds import derive
from .stream import Decided, Drawn, Inputs, Mapped, Reader, Row

__all__ = ["Program", "Running", "Step"]


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
                _numbers(graph.nodes[name], taken),
            )
            for name in graph.order
        )

    async def run(self, question: Question, models: Models, seed: int, bus: Bus) -> Result:
        """Answer one question.

        Raises `StepFailed`, `BudgetExhausted`, `NoAnswer`; never an exception group.
        """
        running = Running(self, question, models, seed, bus)
        seconds = self.plan.graph.budgets.get("", _NO_BUDGET).seconds
        try:
            async with asyncio.timeout(seconds):
                return await running.result()
        except TimeoutError as late:
            failure: BaseException = BudgetExhausted(
                f"{self.plan.graph.name}: no answer within {seconds:g} seconds"
            )
            failure.__cause__ = late
        except BaseExceptionGroup as group:
            failure = _first(group)
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


def _numbers(node: Node, taken: dict[str, int]) -> tuple[int, ...]:
    """For every draw of a source, the how-manyth draw it is of its prompt, model and parameters.

    `taken` counts them over the whole pipeline: two steps with equal prompts draw different
    numbers, for they are independent.
    """
    if not isinstance(node.op, Source):
        return ()
    numbers: list[int] = []
    for group, asking in zip(node.op.groups(), node.op.askings(), strict=True):
        key = f"{asking.model} {asking.prompt} {asking.temperature} {asking.top_p} {asking.top_k} "
        key += f"{asking.max_tokens} {asking.stop}"
        start = taken.get(key, 0)
        taken[key] = start + len(group)
        numbers += range(start, start + len(group))
    return tuple(numbers)


def _first(error: BaseException) -> BaseException:
    """The first error in a group of groups; the others followed from it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


class Step:
    """A step of one run: its node, its seed, its account."""

    __slots__ = ("ledger", "name", "node", "numbers", "seed")

    def __init__(self, node: Node, seed: int, ledger: Ledger, numbers: tuple[int, ...]) -> None:
        self.node = node
        self.numbers = numbers
        self.name = node.name
        self.seed = seed
        self.ledger = ledger


class Running:
    """One question on its way through a program."""

    def __init__(
        self, program: Program, question: Question, models: Models, seed: int, bus: Bus
    ) -> None:
        self.question = question
        self.models = models
        self.stopped: list[str] = []
        """Why steps stopped early, one line each."""
        self._program = program
        self._seed = seed
        self._bus = bus
        self._trace: list[Event] = []
        self._charged: dict[tuple[str, int], Usage] = {}
        self._read: dict[str, int] = {}
        self._ledgers = _ledgers(program.plan)
        self.now = get_running_loop().time
        """The event loop's clock, in seconds."""

    def emit(self, what: str, step: str, index: int, data: Mapping[str, Json] = NOTHING) -> None:
        """Something happened."""
        event = Event(what, self.question.id, step, index, self.now(), data)
        self._trace.append(event)
        self._bus.emit(event)

    def charge(self, step: str, index: int, usage: Usage) -> None:
        """Remember what a place of a step cost."""
        key = (step, index)
        known = self._charged.get(key)
        self._charged[key] = usage if known is None else known + usage

    async def result(self) -> Result:
        """Start what the output needs, read it, and stop the rest."""
        graph = self._program.plan.graph
        start = self.now()
        self.emit("started", "", -1, {"pipeline": graph.name})
        async with TaskGroup() as group:
            output = Reader(Inputs([self._rows(group)[graph.output]]), None)
            try:
                candidates = tuple(await output.all())
            finally:
                await output.aclose()
        if len(candidates) > graph.keep:
            raise RunError(f"{graph.name} gave {len(candidates)} candidates, not {graph.keep}")
        if not candidates and self._program.plan.flows[graph.output].count.low:
            raise NoAnswer(f"{graph.name} ended without a candidate")
        seconds = self.now() - start
        unread = self._unread()
        spent = self._ledgers[""].spent
        self.emit("ended", "", -1, {"seconds": seconds, "candidates": len(candidates)})
        return Result(
            self.question,
            candidates,
            spent,
            unread,
            "; ".join(self.stopped),
            seconds,
            tuple(self._trace),
        )

    def _unread(self) -> Usage:
        return sum(
            (
                usage
                for (step, index), usage in self._charged.items()
                if index >= self._read.get(step, index + 1)
            ),
            Usage(),
        )

    def _rows(self, group: TaskGroup) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        root = derive(self._seed, self.question.id)

        def spawn(work: Coroutine[Any, Any, Any]) -> Task[Any]:
            return group.create_task(work)

        for wiring in self._program.wirings:
            node = wiring.node
            seed = derive(root, node.name)
            step = Step(node, seed, self._ledgers[node.scope], wiring.numbers)
            inputs = Inputs([rows[name] for name in node.inputs])
            rows[node.name] = self._row(wiring, step, inputs, spawn)
        return rows

    def _row(self, wiring: _Wiring, step: Step, inputs: Inputs, spawn: Any) -> Row:
        op, name = wiring.node.op, step.name
        context = StepContext(self, step)

        def closed(read: int, opened: int) -> None:
            self._read[name] = read
            self.emit("closed", name, -1, {"read": read, "opened": opened})

        if isinstance(op, Source):

            async def draw(draws: range) -> AsyncIterator[Candidate]:
                async for candidate in self._failing(name, op.sample(context, draws)):
                    self._made(name, candidate.origin.index, candidate)
                    yield candidate

            return Drawn(wiring.size, wiring.readers, spawn, closed, wiring.request_of, draw)
        if isinstance(op, Each):

            async def one(place: int, candidate: Candidate) -> Candidate | None:
                try:
                    made = await op.one(StepContext(self, step, place), candidate)
                except PolyarchError as error:
                    raise self._failure(name, error) from error
                if made is None:
                    self.emit("dropped", name, place, {"candidate": candidate.origin.key})
                else:
                    self._made(name, place, made)
                return made

            return Mapped(wiring.readers, spawn, closed, inputs, one)
        assert isinstance(op, All)

        async def decide(reader: Reader) -> AsyncIterator[Candidate]:
            place = 0
            async for candidate in self._failing(name, op.run(context, reader)):
                self._made(name, place, candidate)
                place += 1
                yield candidate

        reader = Reader(inputs, wiring.node.window)
        return Decided(wiring.size, wiring.readers, spawn, closed, reader, decide)

    def _made(self, step: str, index: int, candidate: Candidate) -> None:
        data: dict[str, Json] = {"candidate": candidate.origin.key}
        if candidate.origin.step == step:
            data["text"] = candidate.text
            data["answer"] = candidate.answer.text if candidate.answer else None
        if candidate.scores:
            data["scores"] = dict(candidate.scores)
        self.emit("made", step, index, data)

    async def _failing(
        self, step: str, candidates: AsyncIterator[Candidate]
    ) -> AsyncIterator[Candidate]:
        try:
            async for candidate in candidates:
                yield candidate
        except PolyarchError as error:
            raise self._failure(step, error) from error

    def _failure(self, step: str, error: PolyarchError) -> PolyarchError:
        """The error with the step's name, unless it is known already."""
        return error if isinstance(error, StepFailed | BudgetExhausted) else StepFailed(step, error)


def _ledgers(plan: Plan) -> dict[str, Ledger]:
    """An account for the question and for each pipeline used as a step, outermost first."""
    graph = plan.graph
    ledgers = {"": Ledger(graph.name, graph.budgets.get("", _NO_BUDGET))}
    for node in graph.nodes.values():
        parts = node.scope.split(".") if node.scope else []
        for depth in range(1, len(parts) + 1):
            scope, outer = ".".join(parts[:depth]), ".".join(parts[: depth - 1])
            if scope not in ledgers:
                ledgers[scope] = Ledger(scope, graph.budgets.get(scope, _NO_BUDGET), ledgers[outer])
    return ledgers
