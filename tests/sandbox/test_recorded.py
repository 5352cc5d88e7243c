"""Outcomes that were recorded elsewhere come out again, and so do the choices made by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sandboxed import within
from sim import compiled

import polyarch
from polyarch.backends.scripted import Scripted
from polyarch.compiler.execution import Limits
from polyarch.runtime.sandbox.box import Sandbox

DATA = Path(__file__).parents[1] / "data" / "humaneval-codet" / "tasks.jsonl"
TASKS = [json.loads(line) for line in DATA.read_text().splitlines()]
LIMITS = Limits(seconds=20.0, test_seconds=2.0)
PIPELINE = """
name: choose
question: {{kind: record, fields: [task, tests], text: "{{task}}"}}
models: {{coder: scripted/recorded}}
answer: code
steps:
  drafts: {{op: generate, n: 12}}
  best: {{op: unit_test, given: tests, method: {method}, seconds: 20}}
output: {{from: best, keep: 12}}
"""


def programs(task: dict[str, Any]) -> list[str]:
    return [task["question"] + program["answer"] for program in task["programs"]]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task["item"])
def test_every_outcome_is_the_recorded_one(task: dict[str, Any]) -> None:
    tests = [*task["tests"], task["official"]]

    async def work(box: Sandbox) -> list[str]:
        told = []
        async with box.tester(tests, LIMITS) as tester:
            for program in programs(task):
                outcomes = await tester.check(program)
                told.append("".join(str(int(outcome.passed)) for outcome in outcomes))
        return told

    recorded = [p["passed"] + str(int(p["correct"])) for p in task["programs"]]
    assert within(work) == recorded


RIGHT = {
    "count": {
        "HumanEval/0": (1, 0),
        "HumanEval/8": (7, 6),
        "HumanEval/24": (2, 1),
        "HumanEval/136": (2, 0),
    },
    "dual": {
        "HumanEval/0": (7, 7),
        "HumanEval/8": (6, 6),
        "HumanEval/24": (2, 2),
        "HumanEval/136": (3, 3),
    },
}
"""By method and task: how many programs share the best score, and how many of these are right,
as the recorded outcomes have it."""


@pytest.mark.parametrize("method", ["count", "dual"])
def test_choices_by_generated_tests(method: str) -> None:
    plan = compiled(PIPELINE.format(method=method))
    found = {}
    for task in TASKS:
        replies = [f"```python\n{program}\n```" for program in programs(task)]
        backend = Scripted(lambda request, draw, said=replies: said[draw.index])  # type: ignore[misc]
        with polyarch.Pipeline(plan, backends={"coder": backend}) as pipe:
            result = pipe({"task": task["question"], "tests": task["tests"]})
        best = max(c.scores["tests"] for c in result.candidates)
        top = [c.origin.index for c in result.candidates if c.scores["tests"] == best]
        found[task["item"]] = (len(top), sum(task["programs"][n]["correct"] for n in top))
    assert found == RIGHT[method]
