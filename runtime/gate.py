"""What a step of a region waits for: whether it runs, and what its question is."""

from __future__ import annotations

from asyncio import shield
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from ..compiler.values import Candidate, Message, Question
from .state import StepState
from .step import Step
from .stream import Reader, Row

__all__ = ["GatedStep", "about"]


class GatedStep(Step):
    """The work of a step that may not run: it does nothing until its gate has given a candidate,
    and nothing at all if that gives none."""

    __slots__ = ("_gate", "_looked", "_topic")

    def __init__(self, state: StepState, gate: Row | None, topic: Row | None) -> None:
        super().__init__(state)
        self._gate = gate
        self._topic = topic
        self._looked = False

    async def draw(self, index: int) -> Candidate | None:
        """One draw of a source, if it may run."""
        return await super().draw(index) if await self._open() else None

    async def draw_together(self, draws: range, deliver: Callable[[int, Candidate], None]) -> None:
        """Draws of one request, if it may run."""
        if await self._open():
            await super().draw_together(draws, deliver)

    async def one(self, place: int, candidate: Candidate) -> Candidate | None:
        """What becomes of a candidate, if the step may run."""
        return await super().one(place, candidate) if await self._open() else None

    async def decide(self, reader: Reader) -> AsyncGenerator[Candidate, None]:
        """What the step decides, if it may run."""
        if not await self._open():
            return
        decided = super().decide(reader)
        if not isinstance(decided, AsyncGenerator):
            async for candidate in decided:
                yield candidate
            return
        async with aclosing(decided):
            async for candidate in decided:
                yield candidate

    def released(self) -> None:
        """What it waited for is not wanted any longer."""
        for row in {id(row): row for row in (self._gate, self._topic) if row}.values():
            row.close(int(self._looked))

    async def _open(self) -> bool:
        self._looked = True
        for row in (self._gate, self._topic):
            if row is None:
                continue
            given = await shield(row.open(0))
            if given is None:
                return False
            if row is self._topic:
                self._state.question = about(given, self._state.run.question)
        return True


def about(candidate: Candidate, asked: Question) -> Question:
    """A candidate's text as a question of its own, under the system messages of what was asked, and
    with the tokens that the candidate was allotted, if it was."""
    messages = (*asked.system, Message("user", candidate.text))
    allotted = candidate.notes.get("allotted")
    tokens = allotted if isinstance(allotted, int) else None
    return replace(asked, text=candidate.text, messages=messages, tokens=tokens)
