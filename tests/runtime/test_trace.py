"""Traces: what is written, what never is, and what comes back."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sim import compiled, jitter, judge, simulate, steady

from polyarch import __version__
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import InputError, ServerFailed
from polyarch.compiler.plan import Plan
from polyarch.compiler.secrets import REDACTED, Secrets
from polyarch.compiler.spec import QuestionSpec
from polyarch.compiler.values import Image, Json, Message, Question, ToolCall
from polyarch.runtime.events import Event
from polyarch.runtime.questions import as_question, digest, recorded, restored
from polyarch.runtime.trace.outline import outline
from polyarch.runtime.trace.read import Trace, read
from polyarch.runtime.trace.write import TraceWriter

CHECKED = """\
name: checked_vote
answer: number
models:
  m: {model: scripted/x, price: {prompt: 1, completion: 4}, options: {draws: 4}}
  j: {model: scripted/y, price: {prompt: 2, completion: 8}}
steps:
  drafts: {op: generate, model: m, n: 6}
  checked: {op: verify, model: j}
  answer: {op: vote, weight: verify}
"""


def written(path: Path, plan: Plan, events: list[Event], environment: dict[str, str]) -> str:
    """What a writer makes of events, without its first line."""
    with TraceWriter(path, plan, secrets=Secrets(environment)) as writer:
        for event in events:
            writer(event)
    return path.read_text().split("\n", 1)[1]


def traced(path: Path, text: str, *, seed: int = 1, reply: Any = judge) -> tuple[Any, Trace]:
    plan = compiled(text)
    backends = {name: Scripted(reply, latency=jitter(3)) for name in plan.graph.models}
    with TraceWriter(path, plan) as writer:
        result = simulate(plan, backends, seed=seed, listeners=[writer])
    return result, read(path)


def test_what_happened_comes_back(tmp_path: Path) -> None:
    result, trace = traced(tmp_path / "t.jsonl", CHECKED)
    assert [e._replace(at=0.0) for e in trace.events] == [
        e._replace(at=0.0, data=json.loads(json.dumps(dict(e.data)))) for e in result.trace
    ]
    assert [e.at for e in trace.events] == pytest.approx([e.at for e in result.trace], abs=1e-6)
    assert trace.cut is False


def test_the_first_line_names_the_plan(tmp_path: Path) -> None:
    _, trace = traced(tmp_path / "t.jsonl", CHECKED)
    plan, header = compiled(CHECKED), trace.header
    assert (header.trace, header.polyarch) == (1, __version__)
    assert (header.pipeline, header.digest) == ("checked_vote", plan.digest)
    assert header.models == {"m": "scripted/x", "j": "scripted/y"}
    assert header.graph == str(plan.graph)
    assert [step["name"] for step in header.plan["steps"]] == ["drafts", "checked", "answer"]


def test_it_holds_replies_scores_notes_and_costs(tmp_path: Path) -> None:
    _, trace = traced(tmp_path / "t.jsonl", CHECKED, reply=steady)
    assert trace.events[0].data == {
        "pipeline": "checked_vote",
        "seed": 1,
        "question": {"text": "What is 2 + 2?"},
    }
    asked = next(e for e in trace.events if e.what == "asked" and e.step == "checked")
    assert (asked.data["role"], asked.data["model"]) == ("verify", "j")
    drew = next(e for e in trace.events if e.what == "drew" and e.step == "checked")
    assert drew.data["text"] == '{"reason": "so", "verdict": "right"}'
    prompt, tokens = drew.data["prompt"], drew.data["tokens"]
    assert drew.data["usd"] == pytest.approx((2 * prompt + 8 * tokens) / 1e6)  # type: ignore[operator]
    made = [e for e in trace.events if e.what == "made"]
    checked = next(e.data for e in made if e.step == "checked" and e.place == 0)
    assert checked["scores"] == {"verify": 1.0}
    assert checked["notes"] == {
        "verdict": {"right": 1, "wrong": 0, "unreadable": 0, "reason": "so"}
    }
    (run,) = outline(trace.events)
    assert sum(d.usd for d in run.drawn) == pytest.approx(
        sum(float(str(e.data["usd"])) for e in trace.events if e.what == "drew")
    )


def test_times_are_no_part_of_the_canonical_trace(tmp_path: Path) -> None:
    plan = compiled(CHECKED)
    told = []
    for latency in (jitter(1), jitter(2)):
        backends = {name: Scripted(judge, latency=latency) for name in plan.graph.models}
        told.append(simulate(plan, backends, seed=5).canonical())
    assert told[0] == told[1]
    assert any("text" in e for e in told[0])  # type: ignore[operator]


def test_options_and_where_models_are_stay_out(tmp_path: Path) -> None:
    text = CHECKED.replace(
        "options: {draws: 4}",
        "options: {replies: [{texts: '/home/ann/private'}]}, timeout: 7",
    )
    traced(tmp_path / "t.jsonl", text, reply=steady)
    first = (tmp_path / "t.jsonl").read_text().split("\n", 1)[0]
    assert "/home/ann" not in first
    assert "replies" not in first
    assert str(tmp_path) not in (tmp_path / "t.jsonl").read_text()


SECRETS = [
    {"api_key": "abc"},
    {"API-Key": "abc"},
    {"Authorization": ["Bearer abc"]},
    {"deep": [{"x": {"client_secret": "abc", "fine": 1}}]},
    {"token": "abc"},
    {"password": 12345},
    {"text": "use sk-abcdefghijklmnop now"},
    {"text": "curl -H 'Authorization: Bearer eyabc1234567890'"},
    {"text": "header authorization: Basic dXNlcjpwYXNz"},
    {"text": 'client(api_key="hunter2hunter2")'},
    {"text": "GET /x?api_key=0123456789abcdef&y=1"},
    {"text": "{'x-api-key': 'hunter2hunter2'}"},
    {"text": "https://ann:hunter2@example.org/"},
    {"text": "AKIAABCDEFGHIJKLMNOP"},
    {"text": "ghp_abcdefghijklmnopqrstuvwx"},
    {"text": "hf_abcdefghijklmnopqrstuvwx"},
    {"text": "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----"},
    {"text": "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abc"},
    {"why": "401: the key my-own-local-key is wrong"},
    {"why": 'with a "quoted\\key"'},
]
LEAKS = ("abc", "12345", "hunter2", "dXNl", "my-own-local-key", "01234567", "quoted", "ABCDEF")
ENVIRONMENT = {"VLLM_API_KEY": "my-own-local-key", "MY_SECRET": 'a "quoted\\key"', "HOME": "/root"}


@pytest.mark.parametrize("data", SECRETS, ids=str)
def test_secrets_are_never_written(tmp_path: Path, data: dict[str, Any]) -> None:
    event = Event("noted", "q", "drafts", 0, 1.0, data)
    line = written(tmp_path / "t.jsonl", compiled(CHECKED), [event], ENVIRONMENT)
    assert REDACTED in line
    assert not [leak for leak in LEAKS if leak in line]
    assert json.loads(line)["what"] == "noted"


@pytest.mark.parametrize(
    "text",
    [
        "a task-based plan, risk-free, sk-8",
        "prompt_tokens and max_tokens; token = tokenizer.encode(text)",
        "api_key = os.environ['API_KEY']",
        "the bearer of bad news; bearer authentication; basic arithmetic",
        "see https://example.org/a:b@c and mail ann@example.org",
        "password=getpass(prompt)",
        "the secret of the cookie is butter: credentials matter",
        "ключ и 鍵 und Schlüssel",
    ],
)
def test_ordinary_text_is_written_as_it_is(tmp_path: Path, text: str) -> None:
    event = Event("drew", "q", "drafts", 0, 1.0, {"tokens": 5, "text": text})
    line = written(tmp_path / "t.jsonl", compiled(CHECKED), [event], {"TOKENIZERS": "false"})
    assert json.loads(line)["data"] == {"tokens": 5, "text": text}


@given(st.recursive(st.none() | st.floats() | st.text() | st.binary(), st.lists, max_leaves=5))
def test_whatever_is_told_is_one_line_of_json(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    event = Event("noted", "q", "drafts", 0, 1.0, {"value": value})
    line = written(path, compiled(CHECKED), [event], {})
    assert line.count("\n") == 1
    json.loads(line, parse_constant=pytest.fail)


def test_every_line_is_there_as_soon_as_it_happened(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    counts: list[int] = []
    plan = compiled(CHECKED)
    backends = {name: Scripted(steady) for name in plan.graph.models}
    with TraceWriter(path, plan) as writer:

        def count(event: Event) -> None:
            counts.append(path.read_bytes().count(b"\n"))

        simulate(plan, backends, listeners=[writer, count])
    assert counts == list(range(2, len(counts) + 2))


def test_a_full_disk_ends_the_trace_and_not_the_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan = compiled(CHECKED)
    backends = {name: Scripted(steady) for name in plan.graph.models}
    with caplog.at_level(logging.ERROR), TraceWriter("/dev/full", plan) as writer:
        result = simulate(plan, backends, listeners=[writer])
    assert str(result) == "4"
    assert [r.message for r in caplog.records] == ["a listener raised and is dropped"]


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/t\.jsonl: No such file"):
        TraceWriter(tmp_path / "nowhere" / "t.jsonl", compiled(CHECKED))


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    _, whole = traced(path, CHECKED)
    raw = path.read_bytes()
    path.write_bytes(raw[:-20])
    cut = read(path)
    assert cut.cut is True
    assert cut.events == whole.events[:-1]
    path.write_bytes(raw[:-1])
    assert read(path) == whole


@pytest.mark.parametrize(
    ("line", "text", "told"),
    [
        (1, '{"at": 1}', ":1: not the first line of a trace"),
        (1, '{"trace": 99, "polyarch": "9.9"}', ":1: format 99, written by polyarch 9.9"),
        (1, '{"trace": 1}', ":1: polyarch: Field required"),
        (3, '{"at": 1,', ":3: not JSON: "),
        (3, "[]", ":3: not an object"),
        (3, '{"at": 1, "what": "asked"}', ":3: not an event"),
        (3, '{"at": "x", "what": "asked", "question": "q"}', ":3: not an event"),
    ],
)
def test_what_does_not_belong_there_is_told_with_its_line(
    tmp_path: Path, line: int, text: str, told: str
) -> None:
    path = tmp_path / "t.jsonl"
    traced(path, CHECKED)
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}{told}")


def test_an_empty_file_is_no_trace(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").touch()
    with pytest.raises(InputError, match="no trace"):
        read(tmp_path / "t.jsonl")


def test_an_unused_trace_has_a_first_line(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.jsonl", compiled(CHECKED)):
        pass
    assert read(tmp_path / "t.jsonl").events == ()


@pytest.mark.parametrize(
    "question",
    [
        Question("hi", (Message("user", "hi"),), {}, "a"),
        Question("hi", (Message("system", "be kind"), Message("user", "hi")), {}, "a"),
        Question("a\nb", (Message("user", "a\nb"),), {"x": "a", "y": [1]}, "a"),
        Question("see", (Message("user", ("see", Image("data:image/png;base64,AA"))),), {}, "a"),
        Question(
            "hi",
            (
                Message("user", "hi"),
                Message("assistant", "", (ToolCall("c1", "weather", "{}"),)),
                Message("tool", "sunny", call="c1"),
            ),
            {},
            "a",
        ),
    ],
)
def test_questions_come_back(question: Question) -> None:
    assert restored(json.loads(json.dumps(recorded(question))), "a") == question


def test_prompts_are_told_apart() -> None:
    one = (Message("system", "be kind"), Message("user", "hi"))
    assert digest(one) == digest((Message("system", "be kind"), Message("user", ("hi",))))
    assert digest(one) != digest((Message("system", "be kind"), Message("user", "ho")))
    assert digest((Message("user", "\ud800"),)) != digest((Message("user", "\ud801"),))


def test_the_outline_tells_attempts_draws_and_what_is_new(tmp_path: Path) -> None:
    failed: set[int] = set()

    def once(request: Any, draw: Any) -> Script:
        if request.step == "checked" and draw.index == 1 and draw.seed not in failed:
            failed.add(draw.seed)
            return Script(fault=ServerFailed("down"))
        return Script(steady(request, draw), latency=1.0 + draw.index)

    _, trace = traced(tmp_path / "t.jsonl", CHECKED, reply=once)
    (run,) = outline(trace.events)
    drafts, checked, answer = (run.stages[name] for name in ("drafts", "checked", "answer"))
    assert [(a.ask, a.draws, len(a.drawn)) for a in drafts.asked] == [(0, 4, 4), (4, 2, 2)]
    assert [d.ask for d in drafts.asked[0].drawn] == [0, 1, 2, 3]
    states = [a.state for a in checked.asked if a.place == 1]
    assert sorted(states) == ["answered", "retried"]
    assert checked.made[0].added[0] == {"verify": 1.0}
    assert set(answer.made[0].added[0]) == {"vote"}
    assert [made.answer for made in run.outcome("answer")] == ["4"]


def test_a_question_asked_again_is_another_run() -> None:
    events = [
        Event("started", "q", data={"seed": 1}),
        Event("asked", "q", "a", 0, 1.0, {"ask": 0, "draws": 1}),
        Event("ended", "q", at=2.0),
        Event("started", "q", at=3.0, data={"seed": 2}),
    ]
    assert [(run.seed, run.end) for run in outline(events)] == [(1, "ended"), (2, "")]
    assert outline(events)[0].stages["a"].asked[0].state == "cancelled"


def test_a_chat_may_hold_calls_as_openai_writes_them() -> None:
    called: dict[str, Json] = {
        "id": "c1",
        "type": "function",
        "function": {"name": "weather", "arguments": "{}"},
    }
    chat: list[dict[str, Json]] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "content": "sunny", "tool_call_id": "c1"},
    ]
    question = as_question(chat, QuestionSpec())
    assert question.messages == (
        Message("user", "hi"),
        Message("assistant", "", (ToolCall("c1", "weather", "{}"),)),
        Message("tool", "sunny", call="c1"),
    )
    again = [chat[0], {**chat[1], "tool_calls": [{**called, "id": "c2"}]}, chat[2]]
    other = as_question(again, QuestionSpec())
    assert other.id != question.id
    assert digest(question.messages) != digest(question.messages[:1])
    with pytest.raises(InputError, match="message 1: a tool call has an id"):
        as_question([chat[0], {**chat[1], "tool_calls": [{"id": 1}]}], QuestionSpec())
    with pytest.raises(InputError, match="message 0: the content"):
        as_question([{"role": "user", "content": None}], QuestionSpec())
