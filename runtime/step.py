"""A step at work in one run: what it does to fill its places, and what becomes of failures."""

from __future__ import annotations

from asyncio import Task
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ..compiler.errors import BackendError, BudgetExhausted, RunError, StepFailed
from ..compiler.op import All, Each, Reply, Source
from ..compiler.values import Candidate, Json, Usage
from .context import StepContext
from .ledger import Ledger
from .result import Lost
from .stream import Reader
from .wiring import Wiring

if TYPE_CHECKING:
    from .executor import Running

__all__ = ["Step"]

T = TypeVar("T")


class Step:
    """A step of one run: its node, its seed, its account, and the work it does for its places."""

    __slots__ = ("_run", "charged", "failed", "ledger", "name", "node", "seed", "wiring")

    def __init__(self, run: Running, wiring: Wiring, seed: int, ledger: Ledger) -> None:
        self.wiring = wiring
        self.node = wiring.node
        self.name = wiring.node.name
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
            reply = await self._send(context, range(index, index + 1))
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
            await self._send(context, draws, drawn)
        except Exception as error:  # noqa: BLE001 -- anybody's operator; `_lose` names the step
            for draw in sorted(left):
                self._lose(draw, error)

    def _send(
        self, context: StepContext, draws: range, deliver: Callable[[Reply], None] | None = None
    ) -> Coroutine[Any, Any, Reply]:
        op = self.node.op
        assert isinstance(op, Source)
        asked = op.drawing(context, draws)
        return context.send(asked.asking, asked.messages, asked.purpose, draws, deliver)

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
        self._run.emit("lost", self.name, place, {"why": str(error), "code": error.code})

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
