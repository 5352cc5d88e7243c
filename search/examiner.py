"""Asks pipelines the questions of a search and marks what they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast

from ..backends.base import Backend
from ..compiler.answers import Answer
from ..compiler.errors import (
    BackendError,
    BudgetExhausted,
    MissingPackage,
    PolyarchError,
    RateLimited,
    SandboxFailed,
    ServerFailed,
    TimedOut,
    Unreachable,
)
from ..compiler.model import Price
from ..compiler.plan import Plan
from ..compiler.registry import backend, model_info
from ..compiler.spec import ModelSpec
from ..evaluation.data import Item
from ..runtime.events import Event
from ..runtime.keys import allowed_keys, refuse_keys
from ..runtime.ledger import BATCH, Ledger
from ..runtime.questions import as_question
from ..runtime.result import Result
from ..runtime.session import Session
from ..runtime.store import Store
from .lineage import Lineage, lineage
from .mark import Mark

__all__ = ["Examiner", "Examines", "Outage", "Prepared", "Scores", "Spent"]

_PASSING = (Unreachable, ServerFailed, TimedOut, RateLimited)
"""What says nothing of a pipeline: its model cannot be reached just now."""

_FIRST_WAIT = 5.0
_LONGEST_WAIT = 60.0


Scores: TypeAlias = Callable[[Item, Answer | None, str], Awaitable[float]]
"""The score of an answer to an item: canonical form and text."""


@dataclass(slots=True)
class Spent:
    """What steps of one name have spent: calls, tokens and dollars."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0


@dataclass(frozen=True)
class Prepared:
    """A pipeline ready to be asked."""

    lineage: Lineage
    plan: Plan | None = None
    text: str = ""
    """Its YAML."""


class Examines(Protocol):
    """What a search needs of the world: pipelines out of choices, and marks out of pipelines."""

    def prepare(self, text: str, plan: Plan) -> Prepared:
        """Make a closed pipeline ready. Raises `PolyarchError` if it cannot run."""

    async def ask(self, prepared: Prepared, places: Sequence[int]) -> Sequence[Mark]:
        """The marks of the questions at these places. Raises `BudgetExhausted` and `Outage`."""


class Outage(PolyarchError):
    """A model cannot be reached, and has not come back in the time that the search waits for it."""

    code = "outage"


class Examiner:
    """Asks closed pipelines with one bank of replies and one account for all.

    Backends are opened once for equal models. A model that cannot be reached is waited for, since
    that says nothing of the pipeline: at most `patience` seconds, then it raises `Outage`.
    """

    def __init__(
        self,
        items: Sequence[Item],
        scores: Scores,
        *,
        account: Ledger,
        bank: Store,
        seed: int = 0,
        concurrency: int = 64,
        patience: float = 300.0,
        keys: Sequence[str] = (),
        allow_unsandboxed: bool = False,
        backends: Mapping[str, Backend] | None = None,
    ) -> None:
        """`backends` are ready ones by model name, for tests; `keys` as in `Pipeline`."""
        self._items = items
        self._scores = scores
        self._account = account
        self._bank = bank
        self._seed = seed
        self._slots = asyncio.Semaphore(concurrency)
        self._patience = patience
        self._allowed = allowed_keys(keys)
        self._allow_unsandboxed = allow_unsandboxed
        self._backends = dict(backends or {})
        self._opened: dict[str, Backend] = {}
        self._sessions: dict[str, Session] = {}
        self.spent: dict[str, Spent] = {}
        """What replies cost that were newly asked for, by the name of the step."""

    def prepare(self, text: str, plan: Plan) -> Prepared:
        """A plan's lineage and text. Raises `PlanRefused` before anything is asked."""
        self._session(plan)
        return Prepared(lineage(plan), plan, text)

    async def ask(
        self, prepared: Prepared, places: Sequence[int], *, account: Ledger | None = None
    ) -> Sequence[Mark]:
        """The marks of the questions at these places, asked at once; charged to the account of the
        search, or to another one.

        Raises `BudgetExhausted` where the account is spent; every reply that came until then is in
        the bank.
        """
        assert prepared.plan is not None
        session = self._session(prepared.plan)
        prices, paying = _prices(prepared.plan), account or self._account
        tasks = [
            asyncio.ensure_future(self._mark(session, prices, paying, place)) for place in places
        ]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Close every model that was opened."""
        self._sessions.clear()
        while self._opened:
            _, opened = self._opened.popitem()
            await opened.aclose()

    def _session(self, plan: Plan) -> Session:
        found = self._sessions.get(plan.digest)
        if found is None:
            found = self._sessions[plan.digest] = Session(
                plan,
                backends=self._models(plan),
                stores=(self._bank,),
                allow_unsandboxed=self._allow_unsandboxed,
            )
        return found

    def _models(self, plan: Plan) -> Mapping[str, Backend]:
        """The backends of a plan, one for equal models of all pipelines."""
        specs = {n: s for n, s in plan.graph.models.items() if n not in self._backends}
        refuse_keys(specs, self._allowed)
        return {n: self._open(spec) for n, spec in specs.items()} | self._backends

    def _open(self, spec: ModelSpec) -> Backend:
        key = f"{spec.model} {sorted(spec.options.items())!r}"
        if key not in self._opened:
            made = cast(Backend, backend(spec.backend).open_backend(spec.name, spec.options))
            made.join(self._opened.values())
            self._opened[key] = made
        return self._opened[key]

    async def _mark(
        self, session: Session, prices: Mapping[str, Price], account: Ledger, place: int
    ) -> Mark:
        async with self._slots:
            meter = _Meter(prices, self.spent)
            result = await self._answered(session, account, place, meter)
        if result.error is not None:
            return meter.mark(0.0, result, f"{result.error.code}: {result.error}")
        item, best = self._items[place], result.best
        try:
            score = await self._scores(item, best.answer if best else None, result.text)
        except (BudgetExhausted, MissingPackage, SandboxFailed):
            raise
        except PolyarchError as error:
            return meter.mark(None, result, f"{error.code}: {error}")
        except Exception as error:  # noqa: BLE001 -- a metric is anybody's code
            return meter.mark(None, result, f"the metric raised {type(error).__name__}: {error}")
        return meter.mark(score, result)

    async def _answered(
        self, session: Session, account: Ledger, place: int, meter: _Meter
    ) -> Result:
        """The result of a question; asked again while its model cannot be reached."""
        item, wait, waited = self._items[place], _FIRST_WAIT, 0.0
        shaped = as_question(item.question, session.plan.graph.question, item.id)
        while True:
            meter.start()
            result = await session.ask(
                shaped, seed=self._seed, listeners=[meter], batch=account, keep_going=True
            )
            meter.paid(result)
            passing = _passing(result.error)
            if passing is None:
                return result
            due = account.due()
            left = None if due is None else due - asyncio.get_running_loop().time()
            if waited >= self._patience:
                raise Outage(f"no reply for {waited:,.0f} seconds: {passing}") from result.error
            if left is not None and left <= wait:
                raise BudgetExhausted(f"the time is over, and: {passing}", account=BATCH)
            await asyncio.sleep(wait)
            waited, wait = waited + wait, min(2 * wait, _LONGEST_WAIT)


class _Meter:
    """What an answer to a question costs, replies that the bank had and what was given up included.
    A listener."""

    def __init__(self, prices: Mapping[str, Price], spent: dict[str, Spent]) -> None:
        self._prices = prices
        self._spent = spent
        self._paid = 0
        self.start()

    def start(self) -> None:
        """Begin again; what was paid stays."""
        self._calls = self._tokens = 0
        self._usd = 0.0
        self._drawn = Spent()

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        if event.what not in ("drew", "recalled"):
            return
        data = event.data
        prompt, completion = int(data.get("prompt", 0)), int(data.get("tokens", 0))  # type: ignore[arg-type]
        self._calls += 1
        self._tokens += prompt + completion
        if event.what == "drew":
            usd = float(data.get("usd", 0.0))  # type: ignore[arg-type]
            self._usd += usd
            for spent in (self._drawn, self._spent.setdefault(event.step, Spent())):
                spent.calls, spent.tokens = spent.calls + 1, spent.tokens + prompt + completion
                spent.usd += usd
        else:
            price = self._prices.get(str(data.get("model", "")), Price())
            self._usd += price.usd(prompt, completion, int(data.get("cached", 0)))  # type: ignore[arg-type]

    def paid(self, result: Result) -> None:
        """Note what was newly asked for; of that, what was given up is in no event."""
        usage, drawn = result.usage, self._drawn
        self._paid += usage.calls
        self._calls += usage.calls - drawn.calls
        self._tokens += usage.tokens - drawn.tokens
        self._usd += usage.usd - drawn.usd

    def mark(self, score: float | None, result: Result, error: str = "") -> Mark:
        """The mark of the answer."""
        return Mark(score, self._calls, self._tokens, self._usd, result.seconds, self._paid, error)


def _passing(error: BaseException | None) -> BackendError | None:
    """The outage behind an error, if there is one."""
    while error is not None:
        if isinstance(error, _PASSING):
            return error
        error = error.__cause__
    return None


def _prices(plan: Plan) -> Mapping[str, Price]:
    """By model name, what it costs."""
    return {
        name: spec.price.price() if spec.price else model_info(spec).price
        for name, spec in plan.graph.models.items()
    }
