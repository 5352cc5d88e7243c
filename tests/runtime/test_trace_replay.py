"""Replays: the same again without a model, and with one reply changed."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sim import compiled, jitter, judge, random_pipeline, simulate, steady

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import (
    InputError,
    NotRecorded,
    PolyarchError,
    ServerFailed,
    VersionMismatch,
)
from polyarch.compiler.plan import Plan
from polyarch.evaluation.attribution import without
from polyarch.runtime.result import Result
from polyarch.runtime.trace.outline import outline
from polyarch.runtime.trace.read import Trace, read
from polyarch.runtime.trace.replay import Edit, edit, replay, rerun
from polyarch.runtime.trace.write import TraceWriter

VOTE = """\
name: checked_vote
answer: number
models:
  m: {model: scripted/x, max_draws: 1, price: {prompt: 1, completion: 4}}
  j: {model: scripted/y}
steps:
  drafts: {op: generate, model: m, n: 6}
  checked: {op: verify, model: j}
  answer: {op: vote, weight: verify}
"""


HEAD = """\
name: p
answer: number
models:
  m: {model: scripted/x, concurrency: 3}
  other: {model: scripted/y, concurrency: 3, max_draws: 3}
steps:
"""

PIPELINES = {
    "one that stops early": """\
  drafts: {op: generate, model: m, n: 16}
  checked: {op: verify, model: other, votes: 3, keep_at: 0.3}
  answer: {op: vote, weight: verify, stop_at: 0.9, ahead: 5}
""",
    "one that reads a step twice": """\
  drafts: {op: ensemble, members: [m, other, {model: m, temperature: 0.1, n: 6}, m], n: 4}
  better: {op: refine, model: other}
  best: {op: rank, model: other, method: pairwise, from: [drafts, better]}
""",
    "one judging alike from two steps": """\
  a: {op: generate, model: m, n: 3}
  b: {op: generate, model: other, n: 3}
  checked: {op: verify, model: m, from: [a, b]}
  answer: {op: vote, stop_at: exact, ahead: 1}
""",
    "nested": """\
  one: {op: pipeline, file: inner.yaml}
  two: {op: pipeline, file: inner.yaml}
  three: {op: generate, model: other, n: 2}
  polished: {op: pipeline, file: polish.yaml, from: [one, two, three]}
  answer: {op: rank, model: m}
""",
}

INNER = """\
name: inner
answer: number
models: {w: scripted/z}
steps:
  drafts: {op: generate, n: 10}
  answer: {op: vote, stop_at: 0.85, ahead: 3}
"""

POLISH = """\
name: polish
answer: number
models: {w: scripted/z, k: {model: scripted/k, temperature: 0.5}}
steps:
  told: {op: critique, model: k, from: input}
  new: {op: refine, model: w}
output: {from: new, keep: 64}
"""


def told(result: Result) -> tuple[Any, Any]:
    record = {key: value for key, value in result.record().items() if key != "timing"}
    return json.loads(json.dumps(record)), json.loads(json.dumps(result.canonical()))


def traced(
    path: Path, plan: Plan, *, seed: int = 1, reply: Any = judge, latency: Any = None, id: str = "q"
) -> tuple[Result, Trace]:
    backends = {name: Scripted(reply, latency=latency or jitter(3)) for name in plan.graph.models}
    with TraceWriter(path, plan) as writer:
        result = simulate(plan, backends, seed=seed, listeners=[writer], id=id)
    return result, read(path)


def answers(request: Request, draw: Draw) -> str:
    """Drafts answer 0, 1, 2, 0, 1, 2; a verdict is right on every 1."""
    if request.purpose.role == "verify":
        verdict = "right" if "answer is 1" in request.messages[-1].text else "wrong"
        return json.dumps({"reason": "so", "verdict": verdict})
    return f"the answer is {draw.index % 3}"


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_replay_is_the_same_again(tmp_path: Path, name: str, seed: int) -> None:
    (tmp_path / "inner.yaml").write_text(INNER)
    (tmp_path / "polish.yaml").write_text(POLISH)
    plan = compiled(HEAD + PIPELINES[name], tmp_path)
    result, trace = traced(tmp_path / "t.jsonl", plan, seed=seed, latency=jitter(seed))
    (again,) = replay(trace)
    assert told(again) == told(result)


@settings(max_examples=60, deadline=None)
@given(number=st.integers(0, 10**6), latency=st.integers(0, 10**6))
def test_any_pipeline_is_the_same_again(
    tmp_path_factory: pytest.TempPathFactory, number: int, latency: int
) -> None:
    plan = compiled(random_pipeline(Random(number)))
    path = tmp_path_factory.getbasetemp() / "random.jsonl"
    try:
        result, trace = traced(path, plan, seed=number, latency=jitter(latency))
    except PolyarchError:
        return
    (again,) = replay(trace)
    assert told(again) == told(result)


@settings(max_examples=40, deadline=None)
@given(number=st.integers(0, 10**6), calls=st.integers(6, 30))
@example(number=120, calls=14)
def test_any_spent_budget_of_calls_is_spent_again(
    tmp_path_factory: pytest.TempPathFactory, number: int, calls: int
) -> None:
    plan = compiled(random_pipeline(Random(number), f"calls: {calls}, on_budget: best"))
    path = tmp_path_factory.getbasetemp() / "spent.jsonl"
    try:
        result, trace = traced(path, plan, seed=number, latency=jitter(number))
    except PolyarchError:
        return
    (again,) = replay(trace)
    assert told(again)[0]["candidates"] == told(result)[0]["candidates"]


def test_it_asks_no_model_and_takes_no_time(tmp_path: Path) -> None:
    result, trace = traced(tmp_path / "t.jsonl", compiled(VOTE), reply=steady, latency=3600.0)
    (again,) = replay(trace)
    assert again.seconds == pytest.approx(7200.0) == result.seconds
    assert again.usage.usd == pytest.approx(result.usage.usd)


def test_every_question_is_replayed(tmp_path: Path) -> None:
    plan = compiled(VOTE)
    texts = ["What is 1 + 1?", "What is 2 + 2?"]
    backends = {name: Scripted(judge) for name in plan.graph.models}
    with TraceWriter(tmp_path / "t.jsonl", plan) as writer:
        first = [
            simulate(plan, backends, seed=s, question=q, id=q, listeners=[writer])
            for q, s in zip(texts, (4, 5), strict=True)
        ]
    trace = read(tmp_path / "t.jsonl")
    assert [told(r) for r in replay(trace)] == [told(r) for r in first]
    assert [r.question.text for r in replay(trace, question=texts[1])] == texts[1:]
    with pytest.raises(InputError, match="no question 'x'"):
        replay(trace, question="x")
    with pytest.raises(InputError, match="holds 2 questions; say which"):
        replay(trace, [edit("drafts[0]=x")])


def test_retries_and_fallbacks_come_back_as_they_ended(tmp_path: Path) -> None:
    plan = compiled(
        VOTE.replace("{model: scripted/y}", "{model: scripted/y, retries: 1, fallback: [m]}")
    )

    def failing(request: Request, draw: Draw) -> str | Script:
        if request.purpose.role == "verify" and draw.index % 2:
            return Script(fault=ServerFailed("down"), latency=1.0)
        return answers(request, draw)

    backends = {"m": Scripted(answers), "j": Scripted(failing)}
    with TraceWriter(tmp_path / "t.jsonl", plan) as writer:
        result = simulate(plan, backends, seed=3, listeners=[writer])
    (again,) = replay(read(tmp_path / "t.jsonl"))
    assert again.record()["candidates"] == result.record()["candidates"]
    asked = {e.data["model"] for e in again.trace if e.what == "drew" and e.step == "checked"}
    assert asked == {"m", "j"}


@pytest.mark.parametrize("together", [1, 6])
def test_what_was_lost_is_lost_again(tmp_path: Path, together: int) -> None:
    plan = compiled(
        VOTE.replace("max_draws: 1", f"max_draws: {together}, retries: 0").replace(
            "n: 6", "n: 6, on_failure: drop"
        )
    )

    def broken(request: Request, draw: Draw) -> str | Script:
        if request.purpose.role == "solve" and draw.index in (2, 4):
            return Script(fault=ServerFailed(f"no {draw.index}"), latency=5.0)
        return Script(answers(request, draw), latency=1.0)

    result, trace = traced(tmp_path / "t.jsonl", plan, reply=broken)
    (again,) = replay(trace)
    assert {one.place for one in result.lost} == {2, 4}
    assert told(again)[0]["lost"] == told(result)[0]["lost"]
    assert told(again)[0]["candidates"] == told(result)[0]["candidates"]


@pytest.mark.parametrize("budget", ["seconds: 4", "tokens: 900"])
def test_a_spent_budget_is_spent_again(tmp_path: Path, budget: str) -> None:
    text = VOTE.replace("steps:", f"budget: {{{budget}, on_budget: best}}\nsteps:")
    plan = compiled(text.replace("max_draws: 1", "max_draws: 1, max_tokens: 40, concurrency: 2"))
    result, trace = traced(tmp_path / "t.jsonl", plan, reply=answers, latency=1.1)
    (again,) = replay(trace)
    assert result.lost
    assert told(again)[0]["candidates"] == told(result)[0]["candidates"]


def test_an_edit_changes_what_pure_steps_compute(tmp_path: Path) -> None:
    plan = compiled(
        VOTE.replace("  checked: {op: verify, model: j}\n", "").replace(", weight: verify", "")
    )
    result, trace = traced(tmp_path / "t.jsonl", plan, reply=answers)
    assert str(result) == "0"
    (again,) = replay(trace, [edit("drafts[0]=the answer is 2")])
    assert str(again) == "2"
    assert again.candidates[0].notes["votes"] == [["2", 3], ["1", 2], ["0", 1]]


def test_a_request_with_another_prompt_needs_an_edit_of_its_own(tmp_path: Path) -> None:
    result, trace = traced(tmp_path / "t.jsonl", compiled(VOTE), reply=answers)
    assert str(result) == "1"
    changed = edit("drafts[0]=the answer is 7")
    with pytest.raises(NotRecorded) as error:
        replay(trace, [changed])
    assert "checked[0:0:0] is asked with another prompt than the recorded one" in str(error.value)
    assert str(error.value).count("\n  ") == 1
    right = '{"reason": "so", "verdict": "right"}'
    (again,) = replay(trace, [changed, edit(f"checked[0]={right}")])
    assert again.candidates[0].notes["votes"][:2] == [["1", 2.0], ["7", 1.0]]  # type: ignore[index]


def test_an_edit_that_changes_no_prompt_needs_no_other(tmp_path: Path) -> None:
    _, trace = traced(tmp_path / "t.jsonl", compiled(VOTE), reply=answers)
    wrong = '{"reason": "no", "verdict": "wrong"}'
    (again,) = replay(trace, [edit(f"checked[1]={wrong}"), edit(f"checked[4]={wrong}")])
    assert again.candidates[0].scores == {"verify": 0.0}


def test_what_is_not_read_needs_no_reply(tmp_path: Path) -> None:
    text = VOTE.replace("weight: verify", "weight: verify, stop_at: exact, ahead: 3")
    plan = compiled(text)
    _, trace = traced(tmp_path / "t.jsonl", plan, reply=steady, latency=1.0)
    places = {e.place for e in trace.events if e.what == "drew" and e.step == "drafts"}
    assert max(places) >= 3
    # Three agree before it is read, although its judging is asked and nobody knows what it says.
    (again,) = replay(trace, [edit(f"drafts[{max(places)}]=the answer is 9")])
    assert str(again) == "4"


def test_an_unreadable_reply_edited_readable_needs_no_repair(tmp_path: Path) -> None:
    def vague(request: Request, draw: Draw) -> str:
        if request.purpose.role == "verify" and "answer is 1" in request.messages[0].text:
            return "hard to say"
        return answers(request, draw)

    result, trace = traced(tmp_path / "t.jsonl", compiled(VOTE), reply=vague)
    turns = {e.data["turn"] for e in trace.events if e.what == "drew" and e.place == 1}
    assert turns == {0, 1}
    right = '{"reason": "so", "verdict": "right"}'
    (again,) = replay(trace, [edit(f"checked[1]={right}")])
    assert str(again) == "1"
    assert again.usage.calls == result.usage.calls - 1


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("draft[0]=x", "no step 'draft'; did you mean \"drafts\"?"),
        ("drafts=x", "drafts is more than one reply: drafts[0:0:0], drafts[1:1:0], "),
        ("drafts[99]=x", "nothing is asked by the name of drafts[99]"),
        ("answer=x", "step 'answer' asked nothing; say which reply is meant"),
    ],
)
def test_an_edit_of_nothing_is_an_error(tmp_path: Path, written: str, why: str) -> None:
    _, trace = traced(tmp_path / "t.jsonl", compiled(VOTE), reply=answers)
    with pytest.raises(InputError) as error:
        replay(trace, [edit(written)])
    assert str(error.value).startswith(why)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("a=b=c", Edit("a", (), "b=c")),
        ("a[1]=two\nlines", Edit("a", (1,), "two\nlines")),
        ("in.a[1:2]=", Edit("in.a", (1, 2), "")),
        ("a[1:2:1]=[x]", Edit("a", (1, 2, 1), "[x]")),
    ],
)
def test_edits_are_read(written: str, read_as: Edit) -> None:
    assert edit(written) == read_as


@pytest.mark.parametrize("written", ["a", "a[x]=1", "a[]=1", "=1", "a[1:2:3:4]=x"])
def test_what_is_no_edit_is_told(written: str) -> None:
    with pytest.raises(InputError, match=r"written STEP\[PLACE\]=TEXT"):
        edit(written)


def test_a_failed_run_says_what_it_failed_of(tmp_path: Path) -> None:
    plan = compiled(VOTE.replace("max_draws: 1", "max_draws: 1, retries: 0"))

    def broken(request: Request, draw: Draw) -> str | Script:
        if draw.index == 2 and request.purpose.role == "solve":
            return Script(fault=ServerFailed("it is down"))
        return answers(request, draw)

    with pytest.raises(PolyarchError):
        traced(tmp_path / "t.jsonl", plan, reply=broken)
    with pytest.raises(NotRecorded) as error:
        replay(read(tmp_path / "t.jsonl"))
    assert "drafts[2:2:0] was asked in the recorded run, and not answered" in str(error.value)
    assert "it is down" in str(error.value)


def test_a_trace_that_was_cut_misses_replies(tmp_path: Path) -> None:
    _, trace = traced(tmp_path / "t.jsonl", compiled(VOTE), reply=answers)
    events = tuple(e for e in trace.events if (e.what, e.step, e.place) != ("drew", "drafts", 5))
    with pytest.raises(NotRecorded, match=r"drafts\[5:5:0\]"):
        replay(Trace(trace.header, events))


def test_a_plan_that_was_edited_is_refused(tmp_path: Path) -> None:
    _, trace = traced(tmp_path / "t.jsonl", compiled(VOTE), reply=answers)
    told = json.loads(json.dumps(trace.header.plan))
    told["steps"][0]["arguments"]["n"] = 7
    with pytest.raises(VersionMismatch, match=r"written by polyarch .* step 'drafts'$"):
        replay(Trace(trace.header.model_copy(update={"plan": told}), trace.events))


def test_a_plan_without_a_step_finds_the_replies_of_the_others(tmp_path: Path) -> None:
    """Where the rating of candidates in another order was recorded, it is found by its words; a
    candidate that was not rated has none."""
    text = HEAD + (
        "  drafts: {op: generate, model: m, n: 4}\n"
        "  checked: {op: verify, model: other}\n"
        "  best: {op: select, by: verify, keep: KEEP}\n"
        "  rated: {op: verify, model: other, votes: 2}\n"
        "  answer: {op: vote, weight: verify}\n"
    )

    def reply(request: Request, draw: Draw) -> str:
        if request.purpose.role == "verify":
            right = ("2" if request.step == "checked" else "3") in request.purpose.shown[0]
            return json.dumps({"reason": "so", "verdict": "right" if right else "wrong"})
        return f"the answer is {draw.index}"

    for keep, found in ((4, True), (2, False)):
        plan = compiled(text.replace("KEEP", str(keep)))
        path = tmp_path / f"{keep}.jsonl"
        with TraceWriter(path, plan) as writer:
            backends = {name: Scripted(reply) for name in ("m", "other")}
            simulate(plan, backends, listeners=[writer])
        less = without(plan, "best")
        (recorded,) = outline(read(path).events)
        if found:
            assert rerun(less, recorded, moved=True).answer == "3"
        else:
            with pytest.raises(NotRecorded):
                rerun(less, recorded, moved=True)
