"""The account of a search: a ledger that leases what it may spend from the record of the study."""

from __future__ import annotations

from asyncio import get_running_loop

from ..compiler.errors import BudgetExhausted
from ..compiler.spec import Budget
from ..runtime.ledger import BATCH, Ledger, Reservation
from .record import Amounts, Limits, Record

__all__ = ["Account"]

_BLOCKS = 200
"""Into how many leases the whole budget would be cut: the most that a killed process can lose of it
is one of them, and what it had under way."""

_UNITS = ("calls", "tokens", "usd")


class Account(Ledger):
    """What all trials of this process spend together, kept to the call across processes.

    Nothing is sent that was not leased before, and a lease is in the record before it is used.
    """

    __slots__ = ("_began", "_held", "_limits", "_open", "_record", "_share", "_started", "_whole")

    def __init__(self, record: Record, limits: Limits) -> None:
        """Inside an event loop, whose clock counts the seconds from now on."""
        super().__init__(BATCH, Budget(seconds=limits.seconds))
        self._record = record
        self._whole = self._limits = limits
        self._share = 1.0
        self._started = get_running_loop().time()
        self._began = self._started - record.seconds()
        self._open = tuple(unit for unit in _UNITS if getattr(limits, unit) is not None)
        self._held = Amounts()
        self.limited = bool(self._open)

    @property
    def paid(self) -> Amounts:
        """What this process has spent."""
        spent = self.spent
        return Amounts(spent.calls, spent.tokens, spent.usd)

    def allow(self, share: float) -> None:
        """From now on, no more than this share of the whole budget may be spent in all."""
        whole, self._share = self._whole, share
        self._limits = Limits(
            None if whole.calls is None else int(whole.calls * share),
            None if whole.tokens is None else int(whole.tokens * share),
            None if whole.usd is None else whole.usd * share,
        )

    def due(self) -> float | None:
        """When the time is over, on the event loop's clock; None without a limit."""
        seconds = self._whole.seconds
        self._due = None if seconds is None else self._began + seconds * self._share
        return self._due

    @property
    def seconds(self) -> float:
        """For how long this process has been at work."""
        return get_running_loop().time() - self._started

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        due = self.due()
        return due is not None and get_running_loop().time() >= due

    @property
    def seconds_left(self) -> float | None:
        """How much time is left of the whole budget; None without a limit."""
        if self._whole.seconds is None:
            return None
        return max(0.0, self._began + self._whole.seconds - get_running_loop().time())

    def left(self) -> Amounts:
        """What this process could still spend as things stand; of what has no limit, nothing."""
        used = self._record.used()
        own = self._held
        spent = self.paid
        told = []
        for unit in _UNITS:
            limit = getattr(self._limits, unit)
            spare = getattr(own, unit) - getattr(spent, unit)
            told.append(0 if limit is None else limit - getattr(used, unit) + spare)
        return Amounts(int(told[0]), int(told[1]), float(told[2]))

    def settle_up(self) -> Amounts:
        """What was spent, to be written down now that nothing is under way: the leases end with it.
        Between requests only."""
        self._held = self.paid
        return self._held

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way."""
        return self._under_way == 0

    def _lacking(self, wanted: Reservation) -> str:
        unit = self._short_of(wanted)
        if not unit:
            return ""
        need = Amounts(*(self._missing(unit, wanted) for unit in _UNITS))  # type: ignore[arg-type]
        block = Amounts(*(self._block(unit) for unit in _UNITS))  # type: ignore[arg-type]
        lease = self._record.lease(need, block, self._limits)
        if lease is None:
            return unit
        self._held = self._held + lease
        return ""

    def _short_of(self, wanted: Reservation) -> str:
        return next((unit for unit in self._open if self._missing(unit, wanted) > 0), "")

    def _missing(self, unit: str, wanted: Reservation) -> float:
        if unit not in self._open:
            return 0
        spent, held = getattr(self.paid, unit), getattr(self._reserved, unit)
        needed = float(spent + held + getattr(wanted, unit))
        return max(0.0, needed - float(getattr(self._held, unit)))

    def _exhausted(self, unit: str, wanted: Reservation) -> BudgetExhausted:
        limit, left = getattr(self._limits, unit), getattr(self.left(), unit)
        return BudgetExhausted(
            f"the search may spend {limit:,g} {unit} at this point; {left:,g} are left, and the "
            f"next request may need {getattr(wanted, unit):,g}",
            account=BATCH,
        )

    def _block(self, unit: str) -> float:
        limit = getattr(self._limits, unit)
        return 0 if limit is None else limit / _BLOCKS
