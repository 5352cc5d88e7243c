"""A search from the space to the report: explore, confirm, take away, test once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from ..backends.base import Backend
from ..compiler.build import build
from ..compiler.errors import BudgetExhausted, InputError, PlanRefused, PolyarchError
from ..compiler.graph import Graph
from ..compiler.plan import plan
from ..compiler.source import parse
from ..compiler.space import Space
from ..compiler.spec import Budget
from ..evaluation.metrics import Metric
from ..evaluation.metrics.score import Opened
from ..runtime.cache import Cache
from ..runtime.ledger import BATCH, Ledger
from ..runtime.store import Store
from .account import Account
from .aim import Aim
from .database import database, is_url
from .engine import Engine, Openings
from .examiner import Examiner, Outage, Prepared
from .found import Ablated, Contestant, Found, Guarded, Started, difference
from .guard import guard_of
from .history import History
from .mark import Mark
from .questions import Questions, scores_of
from .race import Race, flip_test, wilcoxon
from .record import Record
from .strategy import Setting, strategy
from .trial import Trial, key_of, mean
from .variants import baselines, reductions
from .wanted import Wanted, dearest

__all__ = ["Watch", "Work", "search_space"]

_EXPLORE = 0.5
"""The share of the budget after which nothing new is tried."""
_CONFIRM = 0.6
"""That after which the best are asked no more questions, so that enough is left for the test."""
_GUARD = 0.7
"""That which the guard's questions may use up."""
_TEST = 0.9
"""That after which the winner and the default are asked no more, so that there are baselines."""
_MOST = 128
_CHUNK = 16
"""Questions at once when several pipelines are held against one another."""

Watch = Callable[[Trial, "Work"], None]


@dataclass(frozen=True)
class Work:
    """Everything that a search has in hands."""

    space: Space
    asked: Questions
    wanted: Wanted
    record: Record
    account: Account
    examiner: Examiner
    engine: Engine
    openings: Openings

    @property
    def history(self) -> History:
        """What was tried."""
        return self.engine.history


async def search_space(
    space: Space,
    asked: Questions,
    wanted: Wanted,
    *,
    metric: str | Mapping[str, Any] | Metric | None = None,
    watch: Watch = lambda trial, work: None,
    backends: Mapping[str, Backend] | None = None,
) -> Found:
    """Search a space. A study that was interrupted goes on, and pays for no reply that had arrived.

    `watch` is told of every step of a trial; `backends` are ready ones by model name. Where it is
    cancelled, the best so far is given. Raises `PlanRefused` if no point can run, `InputError` for
    a study of another space, and what the record or the bank raise.
    """
    scores, metrics = scores_of(asked, metric)
    wanted.out.mkdir(parents=True, exist_ok=True)
    told = (space.text, str(space.folder.resolve()))
    record = Record(*_study(space, asked, wanted, metric), space=told)
    bank = Cache(wanted.out / "bank.db")
    try:
        account = Account(record, wanted.limits)
        examiner = Examiner(
            asked.all,
            scores,
            account=account,
            bank=Store(bank),
            seed=wanted.seed,
            concurrency=wanted.concurrency,
            keys=wanted.keys,
            allow_unsandboxed=wanted.allow_unsandboxed,
            backends=backends,
        )
        work = _work(space, asked, wanted, record, account, examiner, watch)
        try:
            async with AsyncExitStack() as judging:
                for one in metrics:
                    if isinstance(one, Opened):
                        await judging.enter_async_context(one.opened(account, (Store(bank),)))
                return await _searched(work)
        finally:
            await examiner.aclose()
            if account.quiet:
                record.settle(account.settle_up())
    finally:
        await asyncio.to_thread(bank.close)
        record.close()


def _study(
    space: Space, asked: Questions, wanted: Wanted, metric: object
) -> tuple[Any, str, dict[str, Any]]:
    """Where the study is, its name, and what tells it from others."""
    url = is_url(wanted.study)
    name = space.name if url or not wanted.study else wanted.study
    facts = {
        "space": space.fingerprint,
        "data": asked.fingerprint,
        "metric": metric if isinstance(metric, str) else repr(metric),
        "objective": [str(aim) for aim in wanted.aims],
        "seed": wanted.seed,
        **({"guard": True} if wanted.guard else {}),
    }
    return database(wanted.study if url else wanted.out / "study.db"), name, facts


def _work(
    space: Space,
    asked: Questions,
    wanted: Wanted,
    record: Record,
    account: Account,
    examiner: Examiner,
    watch: Watch,
) -> Work:
    caps = (*wanted.caps, *(dearest(space) if wanted.no_dearer else ()))
    openings = Openings(space, examiner, caps)
    test = wilcoxon if wanted.pruner == "wilcoxon" else flip_test
    race = Race(wanted.aims, wanted.alpha, least=min(8, len(asked.dev)), test=test)
    engine = Engine(
        space,
        examiner,
        openings,
        record,
        History(wanted.aims, holes=space.holes),
        race,
        rng=Random(wanted.seed),
        most=min(len(asked.dev), wanted.most or _MOST),
        trials=wanted.trials,
        caps=caps,
        no_dearer=wanted.no_dearer,
        spent=lambda: account.settle_up() if account.quiet else None,
        over=lambda: account.over,
        changed=lambda trial: watch(trial, work),
    )
    work = Work(space, asked, wanted, record, account, examiner, engine, openings)
    return work


async def _searched(work: Work) -> Found:
    """All parts of a search. Cancelled, it ends with the best so far."""
    wanted, account = work.wanted, work.account
    try:
        account.allow(_EXPLORE)
        setting = Setting(work.space, wanted.aims, Random(wanted.seed + 1), work.engine)
        chosen = strategy(wanted.strategy, setting, wanted.arguments)
        try:
            why = await work.engine.explore(chosen, workers=wanted.workers, warm=wanted.warm)
        except Outage as error:
            return _found(work, str(error))
        account.allow(_CONFIRM)
        count = min(len(work.asked.dev), wanted.confirm or len(work.asked.dev))
        await work.engine.confirm(count)
        best = _winner(work)
        account.allow(_GUARD)
        guarded = await _guarded(work, best)
        text, ablation, dropped = await _reduced(work, best)
        account.allow(1.0)
        opened = work.record.opening()
        test = await _tested(work, text)
        return _found(
            work,
            why,
            text=text,
            ablation=ablation,
            dropped=dropped,
            test=test,
            opened=opened,
            guarded=guarded,
        )
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if work.history.leader is None or task is None:
            raise
        task.uncancel()
        return _found(work, "stopped")


def _winner(work: Work) -> Trial:
    ranked = work.history.ranked()
    if ranked:
        return ranked[0]
    errors = [mark.error for trial in work.history for mark in trial.marks if mark.error]
    if errors:
        raise InputError(
            f"not one of {len(errors):,} answers could be scored; the first: {errors[0]}"
        )
    if dear := [trial for trial in work.history if trial.state == "costly"]:
        raise PlanRefused(
            f"every one of {len(dear):,} points costs too much; for one: {dear[0].why}"
        )
    raise BudgetExhausted("the budget was spent before one question was answered")


async def _guarded(work: Work, best: Trial) -> Guarded | None:
    """What the guard says of the winner, without a guard nothing."""
    held = len(work.asked.held)
    if not held:
        return None
    guard, first = guard_of(held), len(work.asked.dev)

    def said(value: float | None, fitted: bool, why: str = "") -> Guarded:
        return Guarded(value, fitted, held, work.record.told(), guard.answers, why)

    try:
        prepared = work.openings(best.choice)
        marks = await work.examiner.ask(prepared, range(first, first + held))
        work.engine.settle()
    except (BudgetExhausted, Outage) as error:
        work.engine.settle()
        return said(None, False, str(error))
    key = f"{best.key} {len(best.marks)}"
    dice = Random(f"{work.wanted.seed} {key}")
    means = best.value(Aim()), mean([mark.score for mark in marks])
    answer = work.record.answered(key, lambda: guard.answer(*means, dice), guard.answers)
    if answer is None:
        return said(None, False, "it has told what it knows as often as it may")
    return said(answer.value, answer.fitted)


async def _reduced(work: Work, best: Trial) -> tuple[str, tuple[Ablated, ...], tuple[str, ...]]:
    """The winner's text without what is worth nothing, what was taken away to see, and what was
    dropped. Nothing is asked for it that the bank does not hold."""
    text, dropped = work.openings(best.choice).text, []
    marks: Sequence[Mark] = best.marks
    shown: tuple[Ablated, ...] = ()
    for _ in range(4):
        told = [await _ablated(work, marks, change, less) for change, less in reductions(text)]
        shown = shown or tuple(one for one, _ in told)
        idle = [
            (one, fewer)
            for one, fewer in told
            if one.loss is not None and one.loss.estimate <= 0 and one.calls_saved > 0
        ]
        if not idle:
            break
        one, fewer = max(idle, key=lambda pair: pair[0].calls_saved)
        text, marks = one.text, fewer
        dropped.append(one.change)
    return text, shown, tuple(dropped)


async def _ablated(
    work: Work, marks: Sequence[Mark], change: str, text: str
) -> tuple[Ablated, Sequence[Mark]]:
    """What a change does, as far as the bank can tell."""
    prepared = _prepared(work, text)
    if isinstance(prepared, PolyarchError):
        return Ablated(change, text, why="does not compile without it"), ()
    try:
        nothing = Ledger(BATCH, Budget(calls=1, tokens=1))
        fewer = await work.examiner.ask(prepared, range(len(marks)), account=nothing)
    except (BudgetExhausted, Outage):
        return Ablated(change, text, why="the bank does not hold these draws"), ()
    count = len(marks)
    return (
        Ablated(
            change,
            text,
            difference(marks, fewer),
            count,
            sum(m.tokens for m in marks) / count - sum(m.tokens for m in fewer) / count,
            sum(m.calls for m in marks) / count - sum(m.calls for m in fewer) / count,
        ),
        fewer,
    )


def _prepared(work: Work, text: str, folder: Path | None = None) -> Prepared | PolyarchError:
    try:
        made = plan(build(parse(text), folder or work.space.folder))
        return work.examiner.prepare(text, made)
    except PolyarchError as error:
        return error


async def _tested(work: Work, text: str) -> tuple[Contestant, ...]:
    """The winner and what it is held against, on locked questions as far as the budget goes: first
    the default alone, then on the same questions the baselines."""
    first, last = len(work.asked.all) - len(work.asked.test), len(work.asked.all)
    if work.wanted.test is not None:
        last = min(last, first + work.wanted.test)
    entered = _entered(work, text)
    work.account.allow(_TEST)
    told = await _asked(work, entered[:2], range(first, last))
    work.account.allow(1.0)
    if told:
        told += await _asked(work, entered[2:], range(first, first + len(told[0].marks)))
    return tuple(told)


async def _asked(
    work: Work, entered: Sequence[tuple[str, Prepared]], places: range
) -> list[Contestant]:
    """Each on the same questions, as many as can be paid for."""
    marks: dict[str, list[Mark]] = {name: [] for name, _ in entered}
    try:
        for start in range(places.start, places.stop, _CHUNK):
            chunk = range(start, min(places.stop, start + _CHUNK))
            fresh = {n: await work.examiner.ask(prepared, chunk) for n, prepared in entered}
            for name, made in fresh.items():
                marks[name] += made
            work.engine.settle()
    except (BudgetExhausted, Outage):
        work.engine.settle()
    told = [Contestant(n, prepared.text, tuple(marks[n])) for n, prepared in entered]
    return [one for one in told if one.marks]


def _entered(work: Work, text: str) -> list[tuple[str, Prepared]]:
    best = _winner(work)
    made: list[tuple[str, Prepared | PolyarchError]] = [("winner", _prepared(work, text))]
    with suppress(PolyarchError):
        made.append(("default", work.openings(work.space.first)))
    calls = best.cost("calls")
    made += [(name, _prepared(work, plain)) for name, plain in baselines(text, calls)]
    entered: list[tuple[str, Prepared]] = []
    for name, prepared in made:
        if not isinstance(prepared, PolyarchError) and prepared.plan is not None:
            entered.append((name, prepared))
    return entered


def _found(
    work: Work,
    why: str,
    *,
    text: str = "",
    ablation: tuple[Ablated, ...] = (),
    dropped: tuple[str, ...] = (),
    test: tuple[Contestant, ...] = (),
    opened: int = 0,
    guarded: Guarded | None = None,
) -> Found:
    best, history, space = _winner(work), work.history, work.space
    used = work.record.used()
    ranked = history.ranked()
    return Found(
        best=best,
        text=text or work.openings(best.choice).text,
        trials=(*ranked, *(t for t in history if t not in ranked)),
        front=tuple(history.front),
        told=space.told(best.choice),
        aims=work.wanted.aims,
        why=why,
        calls=used.calls,
        tokens=used.tokens,
        usd=used.usd,
        seconds=work.record.seconds() + work.account.seconds,
        test=test,
        ablation=ablation,
        dropped=dropped,
        opened=opened,
        guarded=guarded,
        spending=dict(work.examiner.spent),
        graph=_graph(work, text or work.openings(best.choice).text),
        started=_started(work, ranked),
        out=work.wanted.out,
        size=space.size,
        choices={trial.key: space.told(trial.choice) for trial in history if trial.choice},
    )


def _graph(work: Work, text: str) -> Graph | None:
    """A pipeline, compiled."""
    prepared = _prepared(work, text)
    if isinstance(prepared, PolyarchError) or prepared.plan is None:
        return None
    return prepared.plan.graph


def _started(work: Work, ranked: Sequence[Trial]) -> tuple[Started, ...]:
    """What became of the points that were tried first."""
    places = {trial.key: place for place, trial in enumerate(ranked, start=1)}
    made = []
    for choice in work.wanted.warm:
        trial = work.history.get(choice)
        if trial is not None:
            source = work.wanted.told_by.get(key_of(choice), "")
            made.append(Started(source, trial.number, places.get(trial.key), len(ranked)))
    return tuple(made)
