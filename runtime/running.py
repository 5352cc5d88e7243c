"""Programs that a step runs: metered in seconds, bounded by the budget, told in the trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from ..compiler.execution import Limits, Outcome, Script, Tester
from ..compiler.values import Json, Usage
from .state import StepState

__all__ = ["Running"]

T = TypeVar("T")


class Running:
    """The programs of one place of a step. `confined` says that they run in the sandbox."""

    __slots__ = ("_confined", "_place", "_state")

    def __init__(self, state: StepState, place: int, confined: bool) -> None:
        self._state = state
        self._place = place
        self._confined = confined

    async def execute(self, script: Script, limits: Limits) -> Outcome:
        """Run a program. Raises `SandboxFailed` and `BudgetExhausted`."""
        executor = self._state.run.executors(self._confined)
        outcome = await self._metered(executor.run(script, limits))
        self._tell([outcome])
        return outcome

    @asynccontextmanager
    async def tester(self, tests: Sequence[str], limits: Limits) -> AsyncIterator[Tester]:
        """Make tests ready. Raises as `execute`, here and when they are held against a program."""
        executor = self._state.run.executors(self._confined)
        async with executor.tester(tests, limits) as tester:
            yield _Metered(self, tester)

    async def check(self, tester: Tester, program: str) -> tuple[Outcome, ...]:
        """Hold tests against a program."""
        outcomes = await self._metered(tester.check(program))
        self._tell(outcomes)
        return outcomes

    async def _metered(self, work: Coroutine[Any, Any, T]) -> T:
        """See work through within the time of the budget, and charge the seconds it took."""
        state = self._state
        started = state.run.now()
        try:
            async with state.ledger.in_time():
                return await work
        finally:
            used = Usage(seconds=state.run.now() - started)
            state.ledger.settle(None, used)
            state.charge(max(0, self._place), used)

    def _tell(self, outcomes: Sequence[Outcome]) -> None:
        verdicts: dict[str, Json] = dict(Counter(str(one.verdict) for one in outcomes))
        seconds = sum(one.seconds for one in outcomes)
        self._state.emit("ran", self._place, {"verdicts": verdicts, "seconds": seconds})


class _Metered:
    """Tests whose use is metered."""

    def __init__(self, running: Running, tester: Tester) -> None:
        self._running = running
        self._tester = tester

    async def check(self, program: str) -> tuple[Outcome, ...]:
        return await self._running.check(self._tester, program)
