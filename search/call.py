"""A search as one call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from ..compiler.errors import InputError
from ..compiler.space import Choice, SearchBudget, SearchSpec, Space, open_space
from ..evaluation.data import Dataset
from ..evaluation.metrics import Metric
from .database import database
from .found import Found
from .history import History
from .memory import Memory, Nearest, Task, setting_of, task_of
from .output import write
from .page import page
from .questions import Questions, questions
from .record import Limits
from .search import Watch, search_space
from .start import from_pipelines, from_studies, ranked_texts
from .trial import key_of
from .wanted import Wanted, aims_of, caps_of

__all__ = ["search", "search_async"]


def search(space: str | Path | Space, data: str | Dataset | None = None, **wanted: Any) -> Found:
    """Search a space for the best pipeline. See `search_async`, which takes the same; for code
    without an event loop."""
    return asyncio.run(search_async(space, data, **wanted))


async def search_async(
    space: str | Path | Space,
    data: str | Dataset | None = None,
    *,
    calls: int | None = None,
    tokens: int | None = None,
    usd: float | None = None,
    minutes: float | None = None,
    metric: str | Mapping[str, Any] | Metric | None = None,
    minus: Mapping[str, float] | None = None,
    least: Sequence[str] = (),
    at_most: Mapping[str, float] | str | None = None,
    strategy: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    trials: int | None = None,
    workers: int = 1,
    study: str = "",
    out: str | Path | None = None,
    seed: int | None = None,
    questions_each: int | None = None,
    confirm: int | None = None,
    test: int | None = None,
    pruner: str = "flip",
    guard: bool | None = None,
    start: Sequence[str] = (),
    after: Sequence[str] = (),
    memory: str | Path | None = None,
    keys: Sequence[str] = (),
    allow_unsandboxed: bool = False,
    watch: Watch = lambda trial, work: None,
) -> Found:
    """Search a space for the best pipeline within limits for the whole search.

    `calls`, `tokens`, `usd` and `minutes` are hard limits for all trials, confirming and testing
    together. `minus` says by unit how much of the score one is worth, `least` names costs that are
    objectives of their own, `at_most` what a question may cost on average, or "default": no more
    calls and tokens than the space's first point costs. What is left out comes
    from the space's own `search:`. `questions_each` is how many questions a point is asked at most
    while searching. `start` names pipelines that are points of the space and are tried first,
    `after` earlier studies (a folder or a database) whose best points are, `memory` a database of
    tasks: what was good for tasks like this one is tried first, and what is found is added to it.
    `guard` holds half of the questions back, to tell how far the search fitted the others. Results
    are written to the folder `out`; a second search with the same folder
    goes on with the first, and pays for no reply that had arrived.

    Raises `SpecError`, `InputError`, `PlanRefused` where no point can run, `BudgetExhausted` where
    not one question can be paid for.
    """
    opened = space if isinstance(space, Space) else open_space(Path(space))
    told = opened.search
    where = data if data is not None else told.data if told else None
    if where is None:
        raise InputError(f"{opened.name} names no data; say which")
    budget = told.budget if told else SearchBudget()
    limits = Limits(
        calls if calls is not None else budget.calls,
        tokens if tokens is not None else budget.tokens,
        usd if usd is not None else budget.usd,
        _seconds(minutes if minutes is not None else budget.minutes),
    )
    if limits == Limits() and trials is None and not (told and told.trials):
        raise InputError("a search needs an end: calls, tokens, usd, minutes or trials")
    own, args = _strategy(strategy, arguments, told.strategy if told else None)
    chosen = seed if seed is not None else told.seed if told else 0
    guarded = guard if guard is not None else bool(told and told.guard)
    asked = questions(where, fields=told.fields if told else None, seed=chosen, guard=guarded)
    scored = metric if metric is not None else told.metric if told else None
    task = _task(opened, asked, scored)
    first = (*(told.start if told else ()), *start)
    within = at_most or _at_most(told)
    with _opened(memory) as remembered:
        near = remembered.points(task, opened) if remembered is not None else []
        warm = _warm(opened, first, after, near)
        wanted = Wanted(
            out=Path(out) if out is not None else Path(f"{opened.name}-search"),
            limits=limits,
            aims=aims_of(opened, minus or {}, tuple(least)),
            strategy=own,
            arguments=args,
            trials=trials if trials is not None else told.trials if told else None,
            workers=workers,
            study=study,
            seed=chosen,
            most=questions_each,
            confirm=confirm if confirm is not None else told.confirm if told else None,
            test=test if test is not None else _test(told.test if told else True),
            caps=caps_of(within if isinstance(within, Mapping) else {}),
            no_dearer=_no_dearer(within),
            pruner=pruner,
            guard=guarded,
            warm=tuple(choice for choice, _ in warm),
            told_by={key_of(choice): source for choice, source in warm},
            keys=tuple(keys),
            allow_unsandboxed=allow_unsandboxed,
        )
        found = await search_space(opened, asked, wanted, metric=scored, watch=watch)
        if remembered is not None:
            folder = opened.folder.resolve()
            best = ranked_texts(opened, History(wanted.aims, found.trials), 8)
            remembered.remember(opened.name, task, best, folder)
    texts = {trial.key: opened.close(trial.choice).text for trial in found.front}
    write(found, wanted.out, texts)
    (wanted.out / "report.html").write_text(page(opened.name, found), encoding="utf-8")
    return found


_Warm: TypeAlias = "list[tuple[Choice, str]]"


def _warm(
    space: Space,
    start: Sequence[str],
    after: Sequence[str],
    near: Sequence[tuple[Choice, Nearest]],
) -> _Warm:
    """What is tried first, each once, with where it comes from."""
    made: _Warm = [*zip(from_pipelines(space, start), start, strict=True)]
    for where in after:
        made += [(choice, f"from {where}") for choice in from_studies(space, where)]
    for choice, task in near:
        made.append((choice, f"from the task {task.name}, {task.nearness:.2f} alike"))
    found: dict[str, tuple[Choice, str]] = {}
    for choice, source in made:
        found.setdefault(key_of(choice), (choice, source))
    return list(found.values())


@contextmanager
def _opened(where: str | Path | None) -> Iterator[Memory | None]:
    """The memory of tasks, where one is named."""
    if where is None:
        yield None
        return
    opened = database(where)
    try:
        yield Memory(opened)
    finally:
        opened.close()


def _task(space: Space, asked: Questions, metric: object) -> Task:
    named = metric if isinstance(metric, str) else asked.metric
    answer, models = setting_of(space.text)
    return task_of(asked.dev, answer, str(named), models)


def _strategy(
    given: str | None, arguments: Mapping[str, Any] | None, told: str | Mapping[str, Any] | None
) -> tuple[str, Mapping[str, Any]]:
    if given is not None or told is None:
        return given or "frugal", dict(arguments or {})
    if isinstance(told, str):
        return told, dict(arguments or {})
    name, options = next(iter(told.items()))
    return name, {**options, **(arguments or {})}


def _test(told: int | bool) -> int | None:
    if isinstance(told, bool):
        return None if told else 0
    return told


def _at_most(told: SearchSpec | None) -> Mapping[str, float] | str | None:
    """What the space itself says that a question may cost."""
    own = told.at_most if told else None
    return {str(unit): cap for unit, cap in own.items()} if isinstance(own, Mapping) else own


def _no_dearer(at_most: Mapping[str, float] | str | None) -> bool:
    if isinstance(at_most, str) and at_most != "default":
        raise InputError(f'at_most is a limit for each unit, or "default"; {at_most!r} is neither')
    return at_most == "default"


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else 60 * minutes
