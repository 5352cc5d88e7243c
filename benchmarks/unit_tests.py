"""What tests are worth: programs of HumanEval chosen by tests that a model wrote, or drawn until
one passes the official tests; each program and each test run in the sandbox.

    python benchmarks/unit_tests.py FOLDER [--programs 100] [--asserts 300] [--tasks 164]
    python benchmarks/unit_tests.py FOLDER --until-pass [--programs 100] [--tasks 164]

FOLDER holds recordings: items.jsonl.gz, samples.jsonl.gz (programs with whether they are right) and
exec.jsonl.gz (assert statements taken from recorded tests, the most frequent first). Every way of
choosing costs the same draws; where several candidates are best, one is taken at random, so a task
counts by the share of them that is right. With `--until-pass` the same draws are made twice: all of
them, and by `method: first_pass` until one passes; told are the draws that each asked for, and how
many tasks each solved.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, TypeAlias

import click

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.build import build
from polyarch.compiler.plan import plan
from polyarch.compiler.source import parse
from polyarch.runtime.sandbox.box import Sandbox
from polyarch.runtime.session import Session

PIPELINE = """
name: choose
question: {{kind: record, fields: [task, tests], text: "{{task}}"}}
models: {{coder: scripted/recorded}}
answer: code
steps:
  drafts: {{op: generate, n: {n}}}
  dual: {{op: unit_test, given: tests, method: dual, test_seconds: 0.2, seconds: 4}}
output: {{from: dual, keep: {n}}}
"""

UNTIL_PASS = """
name: until_pass
question: {{kind: record, fields: [task, tests], text: "{{task}}"}}
models: {{coder: scripted/recorded}}
answer: code
steps:
  drafts: {{op: generate, n: {n}}}
  answer: {{op: unit_test, given: tests, method: {method}, test_seconds: 3, seconds: 4, keep: 1}}
"""

Drawn: TypeAlias = "dict[str, list[dict[str, Any]]]"


def rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def share_right(best: list[tuple[float, bool]]) -> float:
    """The chance that one of the best, taken at random, is right."""
    top = max(score for score, _ in best)
    return sum(right for score, right in best if score == top) / sum(s == top for s, _ in best)


def recorded(folder: Path, tasks: int) -> tuple[list[dict[str, Any]], Drawn]:
    """The tasks, and the recorded draws of each."""
    drawn: Drawn = defaultdict(list)
    for row in rows(folder / "samples.jsonl.gz"):
        drawn[row["item"]].append(row)
    return rows(folder / "items.jsonl.gz")[:tasks], drawn


def coder(items: list[dict[str, Any]], drawn: Drawn) -> Scripted:
    """A model that says what was recorded."""
    by_id = {item["id"]: item for item in items}

    def reply(request: Request, draw: Draw) -> str:
        row = drawn[request.question][draw.index]
        return f"```python\n{by_id[request.question]['question']}{row['answer']}\n```"

    return Scripted(reply)


async def stopping(folder: Path, programs: int, tasks: int) -> dict[str, Any]:
    """Draws asked for and tasks solved, with all draws made and with the early stop."""
    items, drawn = recorded(folder, tasks)
    told: dict[str, Any] = {"tasks": len(items)}
    for title, method in (("all drawn", "count"), ("until one passes", "first_pass")):
        made = plan(build(parse(UNTIL_PASS.format(n=programs, method=method)), Path()))
        draws = solved = 0
        asked = {"coder": coder(items, drawn)}
        async with Session(made, backends=asked, executor=Sandbox()) as session:
            for item in items:
                meta = item["meta"]
                tests = f"{meta['test']}\ncheck({meta['entry_point']})"
                question = {"task": item["question"], "tests": tests}
                result = await session.ask(question, id=item["id"])
                draws += result.usage.calls
                solved += result.candidates[0].scores.get("tests") == 1.0
        told[title] = {"draws": draws, "solved": solved}
        click.echo(f"{title}: {told[title]}", err=True)
    saved = told["all drawn"]["draws"] - told["until one passes"]["draws"]
    return {**told, "draws saved": saved / told["all drawn"]["draws"]}


async def measure(folder: Path, programs: int, asserts: int, tasks: int) -> dict[str, Any]:
    items, drawn = recorded(folder, tasks)
    tests = {row["item"]: row["asserts"][:asserts] for row in rows(folder / "exec.jsonl.gz")}
    made = plan(build(parse(PIPELINE.format(n=programs)), Path()))
    questions = [
        {"id": item["id"], "task": item["question"], "tests": tests[item["id"]]} for item in items
    ]
    chosen: Counter[str] = Counter()
    seconds = 0.0
    async with Session(
        made, backends={"coder": coder(items, drawn)}, executor=Sandbox()
    ) as session:
        for done, question in enumerate(questions, start=1):
            result = await session.ask(question, id=question["id"])
            right = {s["sample"]: s["correct"] for s in drawn[question["id"]]}
            rated = []
            for candidate in result.candidates:
                verdicts = candidate.notes["tests"]["verdicts"]  # type: ignore[index,call-overload]
                correct = right[candidate.origin.index]
                rated.append((candidate.scores.get("tests", 0.0), verdicts.get("pass", 0), correct))
            chosen["one at random"] += sum(right.values()) / len(right)
            chosen["most tests passed"] += share_right([(p, c) for _, p, c in rated])
            chosen["dual agreement"] += share_right([(s, c) for s, _, c in rated])
            whole = max(1, len(question["tests"]))
            first = next((c for _, p, c in sorted_by_index(result, right) if p == whole), None)
            chosen["first that passes all"] += (
                chosen_first(rated) if first is None else float(first)
            )
            seconds += result.usage.seconds
            if done % 10 == 0:
                click.echo(f"{done} tasks, {dict(chosen)}", err=True)
    return {"tasks": len(items), **{way: total / len(items) for way, total in chosen.items()}}


def sorted_by_index(result: Any, right: dict[int, bool]) -> list[tuple[int, int, bool]]:
    return sorted(
        (c.origin.index, c.notes["tests"]["verdicts"].get("pass", 0), right[c.origin.index])
        for c in result.candidates
    )


def chosen_first(rated: list[tuple[float, int, bool]]) -> float:
    """Nothing passes all: as by most tests passed."""
    return share_right([(p, c) for _, p, c in rated])


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--programs", default=100, show_default=True, help="Draws of each task.")
@click.option("--asserts", default=300, show_default=True, help="Tests of each task, at most.")
@click.option("--tasks", default=164, show_default=True, help="How many tasks.")
@click.option("--until-pass", is_flag=True, help="Measure what the early stop saves.")
def main(folder: Path, programs: int, asserts: int, tasks: int, until_pass: bool) -> None:
    """Choose programs by generated tests, or draw until one passes the official ones."""
    start = time.perf_counter()
    if until_pass:
        told = asyncio.run(stopping(folder, programs, tasks))
    else:
        told = asyncio.run(measure(folder, programs, asserts, tasks))
    click.echo(json.dumps({**told, "minutes": (time.perf_counter() - start) / 60}, indent=1))


if __name__ == "__main__":
    main()
