"""Failure attribution where the fault is known, since it was planted."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from sim import compiled
from traced import trace_of, write_trace

from polyarch.backends.base import Backend, Draw, Request
from polyarch.backends.embedded.problems import problems
from polyarch.backends.scripted import Scripted
from polyarch.compiler.spec import Budget
from polyarch.evaluation.attribution import Failures, Live, blaming_plan, failure_attribution
from polyarch.evaluation.data import Item, dataset
from polyarch.evaluation.data.dataset import Dataset
from polyarch.runtime.trace.outline import outline
from polyarch.runtime.trace.read import Trace, read
from polyarch.runtime.trace.replay import Edit, replay
from polyarch.runtime.trace.write import TraceWriter

CHAIN = """\
name: chain
answer: number
models: {m: {model: scripted/x, max_draws: 1}}
steps:
  one: {op: generate}
  two: {op: refine, prompt: "{question} {candidate}", from: one}
  three: {op: refine, prompt: "{question} {candidate}", from: two}
"""

STEPS = ("one", "two", "three")
ANALYST = blaming_plan("scripted/analyst", {})


def worked(step: str, before: str) -> str:
    """What a step makes of the text before it: 1, then twice that, then 5 more."""
    told = re.findall(r"-?\d+", before)
    value = {"one": 1, "two": 2 * int(told[-1]), "three": int(told[-1]) + 5}[step]
    return f"it is {value}"


def worker(faults: Mapping[str, str]) -> Scripted:
    """A model that works, but for the step at fault of each question."""

    def reply(request: Request, draw: Draw) -> str:
        shown = request.purpose.shown[-1] if request.purpose.shown else "0"
        right = worked(request.step, shown)
        at_fault = faults.get(request.purpose.question) == request.step
        return f"it is {int(right.split()[-1]) + 10}" if at_fault else right

    return Scripted(reply)


def analyst(skill: float) -> Scripted:
    """A model that reads a trace and works it out again; with less skill it blames any reply."""

    def reply(request: Request, draw: Draw) -> str:
        text = request.messages[-1].text
        found = re.findall(r"^\[(\w+\[[\d:]+\])\]\n(.*)$", text, re.MULTILINE)
        before, wrong = "0", found[0]
        for name, said in found:
            if said != worked(name.split("[")[0], before):
                wrong = (name, worked(name.split("[")[0], before))
                break
            before = said
        dice = Random(request.messages[-1].text)
        if dice.random() > skill:
            name, said = dice.choice(found)
            wrong = (name, said)
        told = {"cause": "miscounted", "reply": wrong[0], "fix": wrong[1], "prediction": "7"}
        return json.dumps(told)

    return Scripted(reply)


def planted(path: Path, count: int = 60) -> tuple[Trace, Dataset, dict[str, str]]:
    dice = Random(1)
    faults = {f"question {n}": dice.choice(STEPS) for n in range(count)}
    asked = {f"q{n}": text for n, text in enumerate(faults)} | {"well": "no fault"}
    trace = trace_of(compiled(CHAIN), {"m": worker(faults)}, asked, path / "t.jsonl")
    items = [Item(id, text, "7") for id, text in asked.items()]
    return (
        trace,
        dataset("d", items, "numeric"),
        {f"q{n}": s for n, s in enumerate(faults.values())},
    )


def blamed(
    trace: Trace, data: Dataset, skill: float, live: Backend | None, **more: Budget
) -> Failures:
    models = None if live is None else Live(compiled(CHAIN), backends={"m": live})
    return failure_attribution(
        trace, data, ANALYST, models=models, backends={"analyst": analyst(skill)}, **more
    )


def test_a_good_analyst_finds_the_planted_fault_and_the_run_confirms_it(tmp_path: Path) -> None:
    trace, data, faults = planted(tmp_path)
    live = worker({})
    told = blamed(trace, data, 1.0, live)
    assert len(told.found) == 60
    assert {one.item: one.step for one in told.found} == faults
    assert told.confirmed is not None
    assert told.foretold is not None
    assert (told.confirmed.estimate, told.foretold.estimate) == (1.0, 1.0)
    assert told.by_chance == pytest.approx(1 / 3)
    assert told.confirmed.low > told.by_chance
    # Only what follows a fix is asked anew: two steps after the first, one after the second.
    after = {"one": 2, "two": 1, "three": 0}
    assert live.log.asked == sum(after[step] for step in faults.values())
    assert told.spent.calls == 60 + live.log.asked


def test_guesses_are_confirmed_where_they_hit_and_refuted_where_not(tmp_path: Path) -> None:
    trace, data, faults = planted(tmp_path)
    told = blamed(trace, data, 0.5, worker({}))
    hits = {one.item for one in told.found if one.step == faults[one.item]}
    confirmed = {one.item for one in told.found if one.outcome == "confirmed"}
    refuted = {one.item for one in told.found if one.outcome == "refuted"}
    assert confirmed <= hits
    assert confirmed | refuted == set(faults)
    assert 20 < len(hits) < 55
    assert 20 < len(confirmed) < 40
    assert sum(told.steps.values()) == len(confirmed)


def test_without_models_only_what_nothing_follows_is_tested(tmp_path: Path) -> None:
    trace, data, faults = planted(tmp_path)
    told = blamed(trace, data, 1.0, None)
    outcomes = {one.item: one.outcome for one in told.found}
    assert outcomes == {
        id: "confirmed" if step == "three" else "untested" for id, step in faults.items()
    }
    assert told.spent.calls == 60


def test_the_budget_ends_it_with_what_there_is(tmp_path: Path) -> None:
    trace, data, _ = planted(tmp_path)
    told = blamed(trace, data, 1.0, None, budget=Budget(calls=7))
    assert (len(told.found), told.spent.calls) == (7, 7)
    assert "calls" in told.stopped


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("I cannot say", "not the JSON asked for"),
        ('{"cause": "", "reply": "four[0:0:0]", "fix": "", "prediction": ""}', "no such reply"),
        ('{"cause": "", "reply": 4}', "not the JSON asked for"),
    ],
)
def test_a_reply_that_cannot_be_read_is_a_row(tmp_path: Path, text: str, why: str) -> None:
    trace, data, _ = planted(tmp_path, count=1)
    backend = Scripted(lambda request, draw: text)
    told = failure_attribution(trace, data, ANALYST, backends={"analyst": backend})
    (one,) = told.found
    assert one.outcome == "unreadable"
    assert why in one.why
    assert told.confirmed is None


REAL = """\
name: real
answer: number
models: {m: embedded/abacus}
steps:
  draft: {op: generate, temperature: 0}
  critique: {op: critique, temperature: 0}
  better: {op: refine, temperature: 0}
"""

_SUM = re.compile(r"(\d+)([-+*/])(\d+)=(\d+)")


def checker(request: Request, draw: Draw) -> str:
    """Works out every sum of the replies again, and blames the last one with a wrong sum."""
    found = re.findall(
        r"^\[(\w+\[[\d:]+\])\]\n((?:.+\n?)+)", request.messages[-1].text, re.MULTILINE
    )
    guess = (*found[0], found[0][1])
    for name, said in found:
        for a, sign, b, stated in _SUM.findall(said):
            true = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}.get(sign)
            true = int(a) // int(b) if true is None else true
            if true != int(stated) and "answer" in said:
                guess = (name, said, re.sub(rf"\b{stated}\b", str(true), said))
    told = {"cause": "a wrong sum", "reply": guess[0], "fix": guess[2].strip(), "prediction": "?"}
    return json.dumps(told)


def test_a_planted_slip_of_a_real_model_is_found(tmp_path: Path) -> None:
    """In the last reply of runs that were right, a sum is made wrong, and the answer with it."""
    plan = compiled(REAL)
    given = {str(n): one for n, one in enumerate(problems("demo", 12, seed=3))}
    path = tmp_path / "real.jsonl"
    asyncio.run(write_trace(plan, None, {id: p.question for id, p in given.items()}, path))
    data = dataset("d", [Item(id, p.question, str(p.answer)) for id, p in given.items()], "numeric")

    trace, slips = read(path), 0
    with TraceWriter(tmp_path / "planted.jsonl", plan, of=trace.header.model_dump()) as writer:
        for run in outline(trace.events):
            last = [drawn.text for drawn in run.stages["better"].drawn][-1]
            answer = last.rsplit(" ", 1)[-1]
            if answer == str(given[run.id].answer) and f"={answer}\nanswer" in last:
                slip = re.sub(rf"\b{answer}\b", str(int(answer) + 7), last)
                slips += 1
                edits = [Edit("better", (0, 0, 0), slip)]
                replay(trace, edits, question=run.id, listeners=[writer])
    planted = read(tmp_path / "planted.jsonl")
    told = failure_attribution(planted, data, ANALYST, backends={"analyst": Scripted(checker)})
    assert slips >= 6
    assert len(told.found) == slips
    hits = [one for one in told.found if one.step == "better" and one.outcome == "confirmed"]
    assert len(hits) / slips > 2 * told.by_chance
