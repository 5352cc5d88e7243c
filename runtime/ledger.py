"""What may be spent and what was: reserve before a request, settle after it."""

from __future__ import annotations

import asyncio
from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

from ..compiler.errors import BudgetExhausted
from ..compiler.spec import Budget
from ..compiler.values import Usage, total

__all__ = ["BATCH", "Ledger", "Reservation"]

BATCH = "the batch"
"""The name of the account of many questions together."""


class Reservation:
    """An upper bound set aside for one request."""

    __slots__ = ("calls", "tokens", "usd")

    def __init__(self, calls: int, tokens: int, usd: float) -> None:
        self.calls = calls
        self.tokens = tokens
        self.usd = usd


class Ledger:
    """The account of one question, or within it that of a pipeline used as a step, of a step, or
    of several steps that share one.

    What is spent and reserved together never exceeds the budget, nor that of the account around
    it. A request that does not fit waits while others are under way, for they may settle for less;
    when none is, it raises `BudgetExhausted`.
    """

    __slots__ = (
        "_budget",
        "_due",
        "_end",
        "_name",
        "_outer",
        "_reserved",
        "_spent",
        "_timeouts",
        "_under_way",
        "_waiting",
        "limited",
        "timed",
    )

    def __init__(
        self, name: str, budget: Budget, outer: Ledger | None = None, *, endable: bool = False
    ) -> None:
        """`endable` says that `end` may be called."""
        self.limited: bool = (
            budget.calls is not None
            or budget.tokens is not None
            or budget.usd is not None
            or (outer is not None and outer.limited)
        )
        """Whether requests must reserve before they are sent."""
        self.timed: bool = (
            endable or budget.seconds is not None or (outer is not None and outer.timed)
        )
        """Whether requests may be cut short by the end of some time."""
        self._name = name
        self._budget = budget
        self._outer = outer
        self._reserved = Reservation(0, 0, 0.0)
        self._under_way = 0
        self._due: float | None = None
        self._end = ""
        self._timeouts: set[asyncio.Timeout] | None = set() if endable else None
        self._spent: list[Usage] = []
        self._waiting: deque[Future[None]] = deque()

    @property
    def spent(self) -> Usage:
        """What was charged so far."""
        if len(self._spent) > 1:
            self._spent = [total(self._spent)]
        return self._spent[0] if self._spent else Usage()

    def due(self) -> float | None:
        """When the time of this account, or of one around it, is over, on the event loop's clock.
        The time of an account begins with its first request."""
        seconds, outer = self._budget.seconds, self._outer
        if seconds is not None and self._due is None:
            self._due = get_running_loop().time() + seconds
        around = None if outer is None else outer.due()
        if self._due is None or around is None:
            return around if self._due is None else self._due
        return min(self._due, around)

    def late(self) -> BudgetExhausted:
        """The error of a request that the end of the time finds unanswered."""
        account, due = self, self.due()
        while account._outer is not None and account._due != due:
            account = account._outer
        told = account._end or f"no answer within {account._budget.seconds:g} seconds"
        return BudgetExhausted(
            f"{account._name}: {told}",
            best=bool(account._end) or account._budget.on_budget == "best",
            account=account._name,
        )

    def end(self, due: float, why: str) -> None:
        """Let the time of this account be over then, on the event loop's clock, if it is not
        before; what is under way is cut short, and the best that is there goes on."""
        assert self._timeouts is not None
        if self._due is not None and self._due <= due:
            return
        self._due, self._end = due, why
        for timeout in self._timeouts:
            set_to = timeout.when()
            if not timeout.expired() and (set_to is None or set_to > due):
                timeout.reschedule(due)

    @asynccontextmanager
    async def in_time(self) -> AsyncGenerator[None, None]:
        """Do something within the time of this account. Raises `BudgetExhausted` at its end."""
        due = self.due()
        if due is not None and due <= get_running_loop().time():
            raise self.late()
        heeding = [one._timeouts for one in self._chain() if one._timeouts is not None]
        try:
            async with asyncio.timeout_at(due) as timeout:
                for under_way in heeding:
                    under_way.add(timeout)
                try:
                    yield
                finally:
                    for under_way in heeding:
                        under_way.discard(timeout)
        except TimeoutError as late:
            raise self.late() from late

    def _chain(self) -> Iterator[Ledger]:
        """This account and those around it."""
        account: Ledger | None = self
        while account is not None:
            yield account
            account = account._outer

    async def reserve(self, wanted: Reservation) -> None:
        """Set `wanted` aside, here and in every account around this one.

        Raises `BudgetExhausted`.
        """
        while (full := self._full(wanted)) is not None:
            account, unit = full
            if not account._under_way:
                raise account._exhausted(unit, wanted)
            waiter: Future[None] = get_running_loop().create_future()
            account._waiting.append(waiter)
            await waiter
        self._take(wanted)

    def try_reserve(self, wanted: Reservation) -> bool:
        """Set `wanted` aside if it fits now."""
        fits = self._full(wanted) is None
        if fits:
            self._take(wanted)
        return fits

    def settle(self, reserved: Reservation | None, usage: Usage) -> None:
        """Give back what was set aside, if anything was, and charge what was used."""
        account: Ledger | None = self
        while account is not None:
            account._spent.append(usage)
            if reserved is not None:
                account._give_back(reserved)
            account = account._outer

    def _give_back(self, reserved: Reservation) -> None:
        held = self._reserved
        held.calls -= reserved.calls
        held.tokens -= reserved.tokens
        held.usd -= reserved.usd
        self._under_way -= 1
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _full(self, wanted: Reservation) -> tuple[Ledger, str] | None:
        account: Ledger | None = self
        while account is not None:
            unit = account._lacking(wanted)
            if unit:
                return account, unit
            account = account._outer
        return None

    def _lacking(self, wanted: Reservation) -> str:
        limit, spent, held = self._budget, self.spent, self._reserved
        if limit.calls is not None and spent.calls + held.calls + wanted.calls > limit.calls:
            return "calls"
        if limit.tokens is not None and spent.tokens + held.tokens + wanted.tokens > limit.tokens:
            return "tokens"
        if limit.usd is not None and spent.usd + held.usd + wanted.usd > limit.usd:
            return "usd"
        return ""

    def _take(self, wanted: Reservation) -> None:
        account: Ledger | None = self
        while account is not None:
            held = account._reserved
            held.calls += wanted.calls
            held.tokens += wanted.tokens
            held.usd += wanted.usd
            account._under_way += 1
            account = account._outer

    def _exhausted(self, unit: str, wanted: Reservation) -> BudgetExhausted:
        limit, spent = getattr(self._budget, unit), getattr(self.spent, unit)
        return BudgetExhausted(
            f"{self._name}: the next request may need {getattr(wanted, unit):,g} {unit}, "
            f"and {limit - spent:,g} of {limit:,g} are left",
            best=self._budget.on_budget == "best",
            account=self._name,
        )
