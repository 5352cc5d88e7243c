"""One pipeline, one item, one seed: run, scored, told as a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..compiler.answers import Answer
from ..compiler.errors import (
    BudgetExhausted,
    InputError,
    MissingPackage,
    PolyarchError,
    SandboxFailed,
)
from ..compiler.plan import Plan
from ..compiler.values import Json, Question
from ..runtime.events import Listener
from ..runtime.ledger import BATCH, Ledger
from ..runtime.questions import Asked, as_question
from ..runtime.result import Result
from ..runtime.session import Session
from ..runtime.store import Store
from .data.item import Item
from .metrics.score import NO_USAGE, Given, Metric, Score, score_all
from .record import Judged, Record

__all__ = ["Contender", "Task", "ask"]

_SLICE = 80
"""Characters of a field that is still worth slicing by."""


class Task(NamedTuple):
    """What is to be done: an item with a seed for the pipeline of that name."""

    pipeline: str
    item: Item
    seed: int


@dataclass(frozen=True)
class Contender:
    """A pipeline at work, and how its answers are scored: by the item's metric, of `metrics`.

    `candidates` says whether those that its steps made are scored, too.
    """

    name: str
    session: Session
    metrics: Mapping[str, Metric]
    candidates: bool = True
    journal: Store | None = None
    listeners: tuple[Listener, ...] = ()
    answering: frozenset[str] = field(init=False)
    """The steps whose candidates answer the item itself."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "answering", _answering(self.plan))

    @property
    def plan(self) -> Plan:
        """What the session runs."""
        return self.session.plan


async def ask(contender: Contender, task: Task, account: Ledger) -> Record:
    """Answer an item and score the answer. An error of this one item is in the record.

    Raises `BudgetExhausted` where the account of the evaluation is spent, and what would befall
    every item alike: `MissingPackage`, `SandboxFailed`.
    """
    item = task.item
    try:
        result = await contender.session.ask(
            _question(contender.plan, item),
            seed=task.seed,
            batch=account,
            keep_going=True,
            journal=contender.journal,
            listeners=contender.listeners,
        )
    except BudgetExhausted as error:
        if error.account == BATCH:
            raise
        return _failed(task, error)
    except (MissingPackage, SandboxFailed):
        raise
    except PolyarchError as error:
        return _failed(task, error)
    if result.error is not None:
        return _failed(task, result.error, result)
    return await _scored(contender, task, result)


def _question(plan: Plan, item: Item) -> Question:
    """The item in the shape that the pipeline declares; a record's fields hold the item's own."""
    spec = plan.graph.question
    posed: Asked = item.question
    if spec.kind == "record" and not isinstance(posed, Mapping):
        choices: list[Json] = [*item.choices]
        posed = {**item.fields, "question": item.text, "choices": choices}
    return as_question(posed, spec, item.id)


def _failed(task: Task, error: PolyarchError, result: Result | None = None) -> Record:
    return Record(
        task.pipeline,
        task.item.id,
        task.seed,
        None,
        False,
        None,
        "",
        usage=NO_USAGE if result is None else result.usage,
        seconds=0.0 if result is None else result.seconds,
        error=str(error),
        code=error.code,
        slices=_slices(task.item),
    )


async def _scored(contender: Contender, task: Task, result: Result) -> Record:
    """The record of a result, with every candidate scored."""
    item, best = task.item, result.best
    made = _made(contender, result) if contender.candidates else []
    given = [Given(best.answer, best.text) if best is not None else Given(None, "")]
    given += [one.given for one in made]
    scores: Sequence[Score | None]
    error, code = "", ""
    try:
        scores = await score_all(contender.metrics[item.metric], item, given)
    except (MissingPackage, SandboxFailed, BudgetExhausted):
        raise
    except Exception as problem:  # noqa: BLE001 -- anybody's metric; one item must not end all
        scores = [None] * len(given)
        error = f"scoring failed: {problem}"
        code = problem.code if isinstance(problem, InputError) else "metric"
    own = scores[0]
    return Record(
        task.pipeline,
        item.id,
        task.seed,
        None if own is None else own.value,
        own is not None and own.parsed,
        result.answer,
        result.text,
        _judged(contender, made, scores[1:]),
        result.usage,
        result.seconds,
        error,
        code,
        _slices(item),
        {} if best is None else best.scores,
        {} if own is None else own.detail,
        NO_USAGE if own is None else own.usage,
        result.stopped,
    )


class _Made(NamedTuple):
    """A candidate as the trace tells it."""

    given: Given
    step: str
    place: int
    model: str
    scores: Mapping[str, float]


def _made(contender: Contender, result: Result) -> list[_Made]:
    """The candidates that answering steps made, in the order of steps and places, each with all
    scores that any step gave it."""
    answers: dict[str, tuple[str, int, str | None, str]] = {}
    scores: dict[str, dict[str, float]] = {}
    models: dict[tuple[str, int], str] = {}
    for what, step, place, _, data in result.happened:
        if what in ("drew", "recalled"):
            models[step, place] = str(data.get("model", ""))
        if what != "made":
            continue
        key = str(data["candidate"])
        told = data.get("scores")
        if isinstance(told, Mapping):
            scores.setdefault(key, {}).update(told)  # type: ignore[arg-type]
        if "text" in data and step in contender.answering:
            answer = data["answer"]
            answers[key] = (step, place, None if answer is None else str(answer), str(data["text"]))
    order = {name: rank for rank, name in enumerate(contender.plan.graph.order)}
    nodes = contender.plan.graph.nodes
    return [
        _Made(
            Given(None if said is None else Answer(said, nodes[step].answer.name), text),
            step,
            place,
            models.get((step, place), ""),
            scores.get(key, {}),
        )
        for key, (step, place, said, text) in sorted(
            answers.items(), key=lambda one: (order[one[1][0]], one[1][1])
        )
    ]


def _judged(
    contender: Contender, made: Sequence[_Made], scores: Sequence[Score | None]
) -> tuple[Judged, ...]:
    groups = _groups(contender, made)
    return tuple(
        Judged(
            one.given.answer.text if one.given.answer else None,
            None if score is None else score.value,
            one.step,
            one.place,
            one.scores,
            one.model,
            group,
        )
        for one, score, group in zip(made, scores, groups, strict=True)
    )


def _groups(contender: Contender, made: Sequence[_Made]) -> list[int]:
    """For each candidate the place of the first whose answer means the same; -1 without one."""
    held = [place for place, one in enumerate(made) if one.given.answer is not None]
    answers = [made[place].given.answer for place in held]
    if len(held) == 1:
        return [0 if place in held else -1 for place in range(len(made))]
    groups = [-1] * len(made)
    first = contender.plan.graph.answer.group([answer for answer in answers if answer is not None])
    for place, leader in zip(held, first, strict=True):
        groups[place] = held[leader]
    return groups


def _answering(plan: Plan) -> frozenset[str]:
    """The steps whose candidates answer the item: not those that ask other questions, nor those
    that only decide whether others run."""
    graph = plan.graph
    read = {name for node in graph.nodes.values() for name in node.inputs} | {graph.output}
    return frozenset(name for name, node in graph.nodes.items() if not node.topic and name in read)


def _slices(item: Item) -> Mapping[str, Json]:
    """The fields that are short enough to tell parts of the data by."""
    return {
        name: value
        for name, value in item.fields.items()
        if isinstance(value, bool | int | float)
        or (isinstance(value, str) and len(value) <= _SLICE)
    }
