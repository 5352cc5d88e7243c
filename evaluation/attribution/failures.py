"""Why runs failed: a model's guess at the decisive reply of each, and what a replay says of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from ...backends.base import Backend
from ...compiler.errors import BudgetExhausted, NotRecorded, PolyarchError
from ...compiler.plan import Plan
from ...compiler.spec import Budget
from ...compiler.values import Usage
from ...runtime.ledger import BATCH, Ledger
from ...runtime.session import Session
from ...runtime.trace.continued import go_on
from ...runtime.trace.outline import Run
from ...runtime.trace.read import Trace
from ...runtime.trace.replay import rerun
from ..data.dataset import Dataset
from ..intervals import Interval, wilson
from ..metrics.score import Given, Metric
from .blame import Blame, blame, replies
from .live import Live
from .traced import Scorer, Traced, given_by, scorer, traced

__all__ = ["Failure", "Failures", "failure_attribution"]

Outcome = Literal["confirmed", "refuted", "untested", "unreadable"]

_ASSUMES = (
    "a score below 1 is a failure",
    "confirmed: with that reply changed the answer is right; another change might do so as well, "
    "and a fix that writes down the right answer always does",
    "untested: what later steps would then have been told is not in the trace, and no model was "
    "given to be asked",
)


_AT_ONCE = 16
"""Failures looked at at once."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that answered wrongly, and what is blamed for it.

    `reply` is named as an edit names it; `before` and `after` are answers, `prediction` what the
    model foretold. `by_chance` is how likely a reply picked at random is the one blamed.
    """

    item: str
    reply: str
    step: str
    cause: str
    fix: str
    before: str | None
    prediction: str
    after: str | None
    outcome: Outcome
    by_chance: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Failures:
    """The failures of a trace. `confirmed` is the share of those tested whose answer became right,
    `foretold` that whose answer became the one predicted; None where none was tested. `steps`
    counts how often a step was blamed and confirmed. `spent` is what asking cost.
    """

    found: tuple[Failure, ...]
    runs: int
    confirmed: Interval | None
    foretold: Interval | None
    by_chance: float
    steps: Mapping[str, int]
    spent: Usage
    stopped: str = ""
    assumes: tuple[str, ...] = _ASSUMES


def failure_attribution(
    trace: Trace,
    data: Dataset,
    analyst: Plan,
    *,
    metric: str | Mapping[str, Any] | Metric | None = None,
    models: Live | None = None,
    budget: Budget | None = None,
    keys: Sequence[str] = (),
    backends: Mapping[str, Backend] | None = None,
) -> Failures:
    """Ask `analyst` what decided each run of a trace that answered wrongly, and run it again with
    that reply changed.

    The analyst is a `blaming_plan`; it is not told the reference. What it proposes is a suggestion
    until the replay has confirmed it. Without `models` nothing else is asked, and a change that
    alters what later steps ask is untested. `budget` is for everything; where it is spent, it ends.
    `keys` and `backends` are the analyst's, as a session takes them. Not inside an event loop.
    Raises `InputError` and `VersionMismatch`.
    """
    return asyncio.run(
        _attributed(traced(trace), data, analyst, metric, models, budget, keys, backends)
    )


async def _attributed(
    found: Traced,
    data: Dataset,
    analyst: Plan,
    metric: str | Mapping[str, Any] | Metric | None,
    models: Live | None,
    budget: Budget | None,
    keys: Sequence[str],
    backends: Mapping[str, Backend] | None,
) -> Failures:
    account, stopped, told = Ledger(BATCH, budget or Budget()), "", list[Failure]()
    async with AsyncExitStack() as stack:
        score = await stack.enter_async_context(scorer(data, metric, account))
        session = await stack.enter_async_context(Session(analyst, keys=keys, backends=backends))
        live = None if models is None else await stack.enter_async_context(models.opened())
        study = _Study(found, score, session, live, account, asyncio.Semaphore(_AT_ONCE))
        for one in await asyncio.gather(*(study.looked_at(run) for run in found.runs)):
            if isinstance(one, Failure):
                told.append(one)
            stopped = one if isinstance(one, str) else stopped
    return _summed(told, found, account.spent, stopped)


@dataclass(frozen=True)
class _Study:
    """What looking at a failure takes."""

    found: Traced
    score: Scorer
    session: Session
    live: Mapping[str, Backend] | None
    account: Ledger
    slots: asyncio.Semaphore

    async def looked_at(self, run: Run) -> Failure | str | None:
        """A run blamed and tested; None if it did not fail, in words why the budget ended it."""
        given = self.found.outcome(run)
        if (await self.score(run.id, [given]))[0] >= 1:
            return None
        async with self.slots:
            try:
                return await self._failure(run, given)
            except BudgetExhausted as error:
                return str(error)

    async def _failure(self, run: Run, given: Given) -> Failure:
        before = None if given.answer is None else given.answer.text
        chance = 1 / max(1, len(list(replies(run))))
        try:
            guess, _ = await blame(
                self.session, run, str(self.found.plan.graph), before or "no answer", self.account
            )
        except BudgetExhausted:
            raise
        except PolyarchError as error:
            return Failure(
                run.id, "", "", "", "", before, "", None, "unreadable", chance, str(error)
            )
        after, outcome, why = await self._tested(run, guess)
        return Failure(
            run.id,
            str(guess.edit),
            guess.edit.step,
            guess.cause,
            guess.edit.text,
            before,
            guess.prediction,
            after,
            outcome,
            chance,
            why,
        )

    async def _tested(self, run: Run, guess: Blame) -> tuple[str | None, Outcome, str]:
        try:
            given = await self._rerun(run, guess)
        except NotRecorded:
            return None, "untested", "later steps ask what is not in the trace"
        except BudgetExhausted:
            raise
        except PolyarchError as error:
            return None, "refuted", f"with the fix it fails: {error}"
        right = (await self.score(run.id, [given]))[0] >= 1
        after = None if given.answer is None else given.answer.text
        return after, "confirmed" if right else "refuted", ""

    async def _rerun(self, run: Run, guess: Blame) -> Given:
        if self.live is not None:
            plan = self.found.plan
            return given_by(await go_on(plan, run, self.live, self.account, [guess.edit]))
        # A replay has a loop of its own, in virtual time.
        return given_by(await asyncio.to_thread(rerun, self.found.plan, run, [guess.edit]))


def _summed(told: Sequence[Failure], found: Traced, spent: Usage, stopped: str) -> Failures:
    tested = [one for one in told if one.outcome in ("confirmed", "refuted")]
    kind = found.plan.graph.nodes[found.plan.graph.output].answer
    foretold = 0
    for one in tested:
        read = kind.read(one.prediction)
        foretold += read is not None and read.text == one.after
    held = [one for one in tested if one.outcome == "confirmed"]
    return Failures(
        tuple(told),
        len(found.runs),
        wilson(len(held), len(tested)) if tested else None,
        wilson(foretold, len(tested)) if tested else None,
        fmean([one.by_chance for one in told]) if told else 0.0,
        dict(Counter(one.step for one in held)),
        spent,
        stopped,
    )
