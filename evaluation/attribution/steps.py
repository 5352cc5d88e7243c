"""What each step of a pipeline adds: its runs again without it, on the same replies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from ...backends.base import Backend
from ...compiler.errors import BackendError, BudgetExhausted, NotRecorded, RunError
from ...compiler.plan import Plan
from ...compiler.spec import Budget
from ...compiler.values import Usage
from ...runtime.ledger import BATCH, Ledger
from ...runtime.trace.continued import go_on
from ...runtime.trace.outline import Run
from ...runtime.trace.read import Trace
from ...runtime.trace.replay import rerun
from ..data.dataset import Dataset
from ..intervals import Interval, bootstrap, paired_bootstrap
from ..metrics.score import Given, Metric
from .live import Live
from .reduced import reductions
from .traced import Traced, given_by, scorer, traced

__all__ = ["Part", "Steps", "step_attribution"]

_ASSUMES = (
    "replies are those of the trace; what a step's absence makes others ask anew is asked where "
    "models are given, and else missing",
    "where questions are missing there are bounds and no figure: those where nothing is asked anew "
    "are those where the step made no difference",
    "a reply out of a cache is a call of no tokens",
    "intervals are over questions, paired: both ways choose among the same draws",
)


_UNHEARD = "the trace does not hold what is asked without it"


@dataclass(frozen=True, slots=True)
class Part:
    """What is lost with a `change`; of `runs` of questions, `missing` ones cannot be told.

    `gain` is the score of the whole pipeline less that without it, None where any run is missing;
    `bounds` are what it can be then, if scores lie between 0 and 1, and `why` says why. Where the
    change itself cannot be made, no runs are told. `calls`,
    `tokens` and `usd` are what the whole costs a question more, where that is known.
    """

    step: str
    change: str
    gain: Interval | None
    bounds: tuple[float, float]
    runs: int
    missing: int
    calls: float
    tokens: float
    usd: float
    why: str = ""

    @property
    def per_call(self) -> float | None:
        """The score gained a call; None where no call is saved."""
        return self.gain.estimate / self.calls if self.gain and self.calls > 0 else None

    @property
    def per_1k_tokens(self) -> float | None:
        """The score gained for each thousand tokens; None where none are saved."""
        return 1000 * self.gain.estimate / self.tokens if self.gain and self.tokens > 0 else None


@dataclass(frozen=True, slots=True)
class Steps:
    """The `score` of the whole pipeline over `items` questions, and what its parts add."""

    score: Interval
    parts: tuple[Part, ...]
    items: int
    failed: int
    assumes: tuple[str, ...] = _ASSUMES


@dataclass(frozen=True, slots=True)
class _Told:
    """One run of one variant: what it answers and costs."""

    id: str
    given: Given
    usage: Usage


def step_attribution(
    trace: Trace,
    data: Dataset,
    *,
    metric: str | Mapping[str, Any] | Metric | None = None,
    models: Live | None = None,
    budget: Budget | None = None,
) -> Steps:
    """What each step adds to the score of a trace's questions, and half the draws of each that
    draws several.

    Replies are those of the trace; only with `models` is asked what it does not hold, within the
    `budget`: what that does not reach is missing. Not to be called inside an event loop. Questions
    of the trace and items of the data go together by their ids. `metric` stands for those of the
    data. Raises `InputError`, `NotRecorded` where the pipeline itself cannot be run again, and
    `VersionMismatch`.
    """
    found = traced(trace)
    whole = [_again(found.plan, run, moved=False) for run in found.runs]
    changes = list(reductions(found.plan))
    replayed = [[_tried(made, run) for run in found.runs] for _, _, made in changes]

    async def work() -> tuple[list[list[_Told | str]], list[list[float]]]:
        account = Ledger(BATCH, budget or Budget())
        told = replayed
        if models is not None:
            async with models.opened() as live:
                plans = [made for _, _, made in changes]
                told = await _asked_anew(found, plans, replayed, live, account)
        return told, await _scored(found, data, metric, [whole, *told], account)

    filled, scores = asyncio.run(work())
    variants = [(*one, told) for one, told in zip(changes, filled, strict=True)]
    parts = [
        _part(step, change, made, list(zip(whole, scores[0], told, own, strict=True)))
        for (step, change, made, told), own in zip(variants, scores[1:], strict=True)
    ]
    own = _by_item([(told.id, score) for told, score in zip(whole, scores[0], strict=True)])
    return Steps(bootstrap(list(own.values())), tuple(parts), len(own), found.failed)


def _again(plan: Plan, run: Run, *, moved: bool) -> _Told:
    result = rerun(plan, run, moved=moved)
    return _Told(run.id, given_by(result), result.usage)


def _tried(plan: Plan | str, run: Run) -> _Told | str:
    """One run of a variant, or why it cannot be told."""
    if isinstance(plan, str):
        return plan
    try:
        return _again(plan, run, moved=True)
    except NotRecorded:
        return _UNHEARD
    except RunError as error:
        return f"it fails without it: {error}"


async def _asked_anew(
    found: Traced,
    plans: Sequence[Plan | str],
    replayed: Sequence[Sequence[_Told | str]],
    live: Mapping[str, Backend],
    account: Ledger,
) -> list[list[_Told | str]]:
    """The runs, those that were missing for a reply asked for it. The whole pipeline's replies cost
    what they did, so that the two compare."""

    async def fill(plan: Plan | str, run: Run, told: _Told | str) -> _Told | str:
        if isinstance(plan, str) or told != _UNHEARD:
            return told
        try:
            result = await go_on(plan, run, live, account, moved=True)
        except BudgetExhausted as error:
            return f"the budget does not reach it: {error}"
        except (RunError, BackendError) as error:
            return f"it fails without it: {error}"
        return _Told(run.id, given_by(result), result.usage)

    return [
        list(
            await asyncio.gather(
                *(fill(plan, run, one) for run, one in zip(found.runs, told, strict=True))
            )
        )
        for plan, told in zip(plans, replayed, strict=True)
    ]


async def _scored(
    found: Traced,
    data: Dataset,
    metric: str | Mapping[str, Any] | Metric | None,
    every: Sequence[Sequence[_Told | str]],
    account: Ledger,
) -> list[list[float]]:
    """The score of each run of each variant; 0 stands for those that cannot be told."""
    scores: list[list[float]] = [[] for _ in every]
    async with scorer(data, metric, account) as score:
        for place, run in enumerate(found.runs):
            told = [own[place] for own in every]
            given = [Given(None, "") if isinstance(one, str) else one.given for one in told]
            for own, value in zip(scores, await score(run.id, given), strict=True):
                own.append(value)
    return scores


def _part(
    step: str,
    change: str,
    made: Plan | str,
    runs: Sequence[tuple[_Told | str, float, _Told | str, float]],
) -> Part:
    if isinstance(made, str):
        return Part(step, change, None, (-1.0, 1.0), 0, 0, 0.0, 0.0, 0.0, made)
    missing = [score for _, score, other, _ in runs if isinstance(other, str)]
    both = [
        (one, score, other, less)
        for one, score, other, less in runs
        if not isinstance(one, str) and not isinstance(other, str)
    ]
    known = sum(score - less for _, score, _, less in both)
    low, high = known + sum(missing) - len(missing), known + sum(missing)
    spent = [(one.usage, other.usage) for one, _, other, _ in both]
    gain = None
    if not missing:
        whole = _by_item([(one.id, score) for one, score, _, _ in both])
        fewer = _by_item([(other.id, less) for _, _, other, less in both])
        gain = paired_bootstrap(list(whole.values()), list(fewer.values()))
    return Part(
        step,
        change,
        gain,
        (low / len(runs), high / len(runs)),
        len(runs),
        len(missing),
        _mean(one.calls - other.calls for one, other in spent),
        _mean(one.tokens - other.tokens for one, other in spent),
        _mean(one.usd - other.usd for one, other in spent),
        next((other for _, _, other, _ in runs if isinstance(other, str)), ""),
    )


def _mean(told: Iterable[float]) -> float:
    kept = list(told)
    return fmean(kept) if kept else 0.0


def _by_item(told: Sequence[tuple[str, float]]) -> Mapping[str, float]:
    """The mean over the runs of each question."""
    found: dict[str, list[float]] = {}
    for id, score in told:
        found.setdefault(id, []).append(score)
    return {id: fmean(scores) for id, scores in found.items()}
