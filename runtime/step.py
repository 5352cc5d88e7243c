"""A step at work in one run: what it does to fill its places, and what becomes of failures."""

from __future__ import annotations

from asyncio import Task
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..compiler.errors import BackendError, BudgetExhausted, RunError, StepFailed, ToolFailed
from ..compiler.op import All, Each, Reply, Source
from ..compiler.values import Candidate, Json
from .context import StepContext
from .result import Lost
from .state import StepState
from .stream import Reader

if TYPE_CHECKING:
    pass

__all__ = ["Step"]

T = TypeVar("T")


class Step:
    """The work that a step does for its places, in one run."""

    __slots__ = ("_op", "_state")

    def __init__(self, state: StepState) -> None:
        self._state = state
        self._op = state.wiring.node.op

    def spawn(self, work: Coroutine[Any, Any, T]) -> Task[T]:
        """Start a task within the question's task group."""
        return self._state.run.group.create_task(work)

    async def draw(self, index: int) -> Candidate | None:
        """Ask for one draw of a source; nothing, if it was lost and may be."""
        context = StepContext(self._state)
        try:
            reply = await self._send(context, range(index, index + 1))
        except Exception as error:  # noqa: BLE001 -- anybody's operator; `_lose` names the step
            self._lose(index, error)
            return None
        return self._drawn(context, reply)

    async def draw_together(self, draws: range, deliver: Callable[[int, Candidate], None]) -> None:
        """Ask for these draws of a source in one request; deliver each as it finishes, but for
        those that were lost and may be."""
        context = StepContext(self._state)
        left = set(draws)

        def drawn(reply: Reply) -> None:
            left.remove(reply.index)
            deliver(reply.index, self._drawn(context, reply))

        try:
            await self._send(context, draws, drawn)
        except Exception as error:  # noqa: BLE001 -- anybody's operator; `_lose` names the step
            for draw in sorted(left):
                self._lose(draw, error)

    def _send(
        self, context: StepContext, draws: range, deliver: Callable[[Reply], None] | None = None
    ) -> Coroutine[Any, Any, Reply]:
        op = self._op
        assert isinstance(op, Source)
        asked = op.drawing(context, draws)
        return context.send(
            asked.asking, asked.messages, asked.purpose, draws, deliver, asked.wishes
        )

    def _drawn(self, context: StepContext, reply: Reply) -> Candidate:
        op = self._op
        assert isinstance(op, Source)
        candidate = op.drawn(context, reply)
        self.made(reply.index, candidate)
        return candidate

    async def one(self, place: int, candidate: Candidate) -> Candidate | None:
        """What a step on single candidates makes of one."""
        op = self._op
        assert isinstance(op, Each)
        try:
            made = await op.one(StepContext(self._state, place), candidate)
        except Exception as error:  # noqa: BLE001 -- anybody's operator; `_lose` names the step
            self._lose(place, error)
            return op.unpaid(candidate) if isinstance(error, BudgetExhausted) else None
        if made is None:
            self._state.emit("dropped", place, {"candidate": candidate.origin.key})
        else:
            self.made(place, made)
        return made

    def decide(self, reader: Reader) -> AsyncIterator[Candidate]:
        """What a deciding step makes of what it reads."""
        op = self._op
        assert isinstance(op, All)
        return op.run(StepContext(self._state), reader)

    def made(self, place: int, candidate: Candidate) -> None:
        """A place was filled with a candidate."""
        data: dict[str, Json] = {"candidate": candidate.origin.key}
        if candidate.origin.step == self._state.name:
            data["text"] = candidate.text
            data["answer"] = candidate.answer.text if candidate.answer else None
            if candidate.origin.parents:
                data["parents"] = candidate.origin.parents
        if candidate.scores:
            data["scores"] = dict(candidate.scores)
        if candidate.notes:
            data["notes"] = candidate.notes
        self._state.emit("made", place, data)

    def rescued(self, error: Exception, read: Sequence[Candidate]) -> Sequence[Candidate]:
        """What a deciding step gives after an error. Raises the error, with the step's name, unless
        the pipeline says how to go on."""
        op = self._op
        assert isinstance(op, All)
        self._lose(0, error)
        return op.so_far(read) if isinstance(error, BudgetExhausted) else ()

    def _lose(self, place: int, error: Exception) -> None:
        """Go on without a candidate, if the budget or the step says so; raise otherwise, with the
        step's name."""
        state, at_least = self._state, self._state.wiring.node.at_least
        if isinstance(error, BudgetExhausted):
            if not error.best:
                raise error
            state.run.stopped.setdefault(state.name, str(error))
        elif isinstance(error, StepFailed):
            raise error
        elif isinstance(error, BackendError | ToolFailed) and at_least is not None:
            self._fail(error, at_least)
        else:
            raise StepFailed(state.name, error) from error
        state.run.lost.append(Lost(state.name, place, str(error)))
        state.emit("lost", place, {"why": str(error), "code": error.code})

    def _fail(self, error: BackendError | ToolFailed, at_least: int) -> None:
        """One more place of the step has failed. Raises if too few are left."""
        state = self._state
        state.failed += 1
        if state.wiring.size - state.failed < at_least:
            told = f"{state.failed} failed, so fewer than {at_least} can come; last: {error}"
            raise StepFailed(state.name, RunError(told)) from error

    def released(self) -> None:
        """Nothing more is wanted of the step."""

    def closed(self, read: int, opened: int) -> None:
        """All readers closed before everything was read."""
        self._state.run.closed.append((self._state, read))
        self._state.emit("closed", -1, {"read": read, "opened": opened})
