"""What came of steps that answer the same questions in several ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from ..compiler.answers import Answer
from ..compiler.errors import InputError
from ..compiler.names import nearest
from ..compiler.plan import Plan
from ..evaluation.fitting import Tried
from ..ops.table import key
from ..runtime.result import Result

__all__ = ["Trial", "tried_in"]


@dataclass(frozen=True, slots=True)
class Trial:
    """Which step probes, which answer, what is looked at, and in which unit costs are counted."""

    probe: str
    cases: Sequence[str]
    by: str
    unit: str


def tried_in(
    results: Sequence[Result], answers: Sequence[Answer], plan: Plan, trial: Trial
) -> list[Tried]:
    """What the probe and each case made of every question. Raises `InputError` for what is no step
    that reaches the result."""
    for name in (trial.probe, *trial.cases):
        if name not in plan.graph.nodes:
            hint = nearest(name, tuple(plan.graph.nodes))
            raise InputError(f"no step {name!r} reaches the result; {hint}".rstrip("; "))
    before = {trial.probe, *nx.ancestors(plan.graph.dag, trial.probe)}
    own = {case: {case, *nx.ancestors(plan.graph.dag, case)} - before for case in trial.cases}
    pairs = zip(results, answers, strict=True)
    return [_tried(result, right, plan, trial, own) for result, right in pairs]


def _tried(
    result: Result, right: Answer, plan: Plan, trial: Trial, own: Mapping[str, set[str]]
) -> Tried:
    kind = plan.graph.answer
    made = _made(result, kind.name)
    correct = {
        case: bool(given := made.get(case, []))
        and given[0] is not None
        and kind.same(given[0], right)
        for case in trial.cases
    }
    spent = list(_spent(result, trial.unit))
    cost = {
        case: sum(amount for step, amount in spent if step in steps) for case, steps in own.items()
    }
    draws = plan.flows[trial.probe].count.high
    probed = made.get(trial.probe, [])
    return Tried(key(kind, [*probed, *[None] * (draws - len(probed))], trial.by), correct, cost)


def _made(result: Result, kind: str) -> dict[str, list[Answer | None]]:
    """The answers that each step gave, in index order."""
    read: dict[str, Answer | None] = {}
    given: dict[str, dict[int, Answer | None]] = {}
    for event in result.trace:
        if event.what == "made":
            name = str(event.data["candidate"])
            if "answer" in event.data:
                told = event.data["answer"]
                read[name] = None if told is None else Answer(str(told), kind)
            given.setdefault(event.step, {})[event.place] = read.get(name)
    return {step: [answers[at] for at in sorted(answers)] for step, answers in given.items()}


def _spent(result: Result, unit: str) -> Iterator[tuple[str, float]]:
    """What each reply cost, by step."""
    for event in result.trace:
        if event.what in ("drew", "recalled"):
            data = event.data
            match unit:
                case "calls":
                    amount = 1.0
                case "tokens":
                    amount = _number(data["prompt"]) + _number(data["tokens"])
                case _:
                    amount = _number(data.get("usd", 0.0))
            yield event.step, amount


def _number(told: object) -> float:
    return float(told) if isinstance(told, int | float) else 0.0
