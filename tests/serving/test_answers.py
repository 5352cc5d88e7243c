"""What a pipeline says over the wire: choices, usage, texts while they are written, budgets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hosting import ONE, Host, hosting, pipeline
from sim import compiled

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.spec import Budget
from polyarch.compiler.values import ToolCall
from polyarch.pipeline import Pipeline

PARTS = ((0.0, "The "), (0.01, "answer "), (0.01, "is "), (0.01, "4."))
WHOLE = "The answer is 4."
KEEPS = """
name: one
models: {m: {model: scripted/x, max_draws: 1, price: {prompt: 1, completion: 2}}}
steps: {drafts: {op: generate, n: 3}}
output: {from: drafts, keep: 3}
"""
FUSED = """
name: one
models: {m: scripted/x}
steps: {drafts: {op: generate, n: 2}, fused: {op: fuse}}
"""
REFINED = """
name: one
models: {m: scripted/x}
steps: {draft: {op: generate}, better: {op: refine}}
"""
VOTED = """
name: one
answer: number
models: {m: scripted/x}
steps: {drafts: {op: generate, n: 3}, best: {op: vote}}
"""


def says(text: str) -> Scripted:
    return Scripted(lambda *_: text)


def writes(*parts: tuple[float, str], last: str = "solve") -> Scripted:
    """A model that writes the reply to the last step in parts, and says "so" before."""

    def reply(request: Request, _: Draw) -> str | Script:
        return Script(parts=parts) if request.purpose.role == last else "so"

    return Scripted(reply)


async def texts(host: Host, **body: Any) -> list[str]:
    """The texts of the chunks of a streamed answer."""
    told = []
    async for chunk in host.chunks(**body):
        assert "error" not in chunk, chunk
        told += [choice["delta"].get("content", "") for choice in chunk["choices"]]
    return [text for text in told if text]


async def test_what_a_pipeline_says() -> None:
    backend = Scripted(lambda _, draw: f"answer {draw.index}")
    async with hosting(pipeline(KEEPS, backend)) as host:
        whole = (await host.post(n=2, seed=7)).json()
        one = (await host.post()).json()
        text = (await host.post("completions", messages=..., prompt="2 + 2?")).json()
    assert [c["message"]["content"] for c in whole["choices"]] == ["answer 0", "answer 1"]
    assert [c["index"] for c in whole["choices"]] == [0, 1]
    assert {c["finish_reason"] for c in whole["choices"]} == {"stop"}
    told = whole["polyarch"]
    # Three draws were paid for, though two were wanted.
    assert (told["calls"], whole["usage"]["completion_tokens"]) == (3, 6)
    usage = whole["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert told["usd"] == pytest.approx((usage["prompt_tokens"] + 2 * 6) / 1e6)
    assert told["seed"] == 7
    assert [c["key"] for c in told["candidates"]] == ["drafts[0]", "drafts[1]"]
    assert len(one["choices"]) == 1
    assert text["choices"][0]["text"] == "answer 0"
    assert text["object"] == "text_completion"


async def test_equal_seeds_give_equal_answers() -> None:
    backend = Scripted(lambda _, draw: str(draw.seed))
    async with hosting(pipeline(ONE, backend)) as host:
        told = [(await host.post(seed=seed)).json() for seed in (1, 1, 2)]
        free = [(await host.post()).json() for _ in range(2)]
        again = (await host.post(seed=free[0]["polyarch"]["seed"])).json()
    said = [one["choices"][0]["message"]["content"] for one in (*told, *free, again)]
    assert said[0] == said[1] != said[2]
    assert said[3] != said[4]
    assert said[5] == said[3]


@pytest.mark.parametrize(
    ("made", "role"),
    [(ONE, "solve"), (FUSED, "fuse"), (REFINED, "revise")],
    ids=["generate", "fuse", "refine"],
)
async def test_the_last_step_is_told_while_it_is_written(made: str, role: str) -> None:
    written, asked = asyncio.Event(), asyncio.Event()

    class Slow(Scripted):
        async def generate(self, request: Request) -> Any:
            async for piece in super().generate(request):
                yield piece
                if piece.text == "The ":
                    asked.set()
                    await written.wait()

    backend = Slow(writes(*PARTS, last=role)._reply)
    said: list[str] = []
    async with hosting(pipeline(made, backend)) as host:
        async for chunk in host.chunks():
            said += [choice["delta"].get("content", "") for choice in chunk["choices"]]
            if "".join(said) == "The ":
                # Told, though the model has not written the rest.
                assert asked.is_set()
                written.set()
    assert "".join(said) == WHOLE
    assert [text for text in said if text] == ["The ", "answer ", "is ", "4."]


async def test_what_is_decided_is_told_when_it_is() -> None:
    async with hosting(pipeline(VOTED, writes(*PARTS))) as host:
        assert await texts(host) == [WHOLE]


async def test_a_long_text_that_was_decided_comes_in_parts() -> None:
    text = "word " * 100 + "4"
    async with hosting(pipeline(VOTED, says(text))) as host:
        told = await texts(host)
    assert "".join(told) == text
    assert all(1 < len(part) <= 61 for part in told[:-1])
    assert len(told) > 8


@pytest.mark.parametrize("made", [ONE, VOTED], ids=["written", "decided"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_text_ends_before_a_stop(made: str, stream: bool) -> None:
    parts = [(0.0, "4 is it. E"), (0.0, "N"), (0.0, "D of it")]
    async with hosting(pipeline(made, writes(*parts))) as host:
        if stream:
            finish = None
            said = ""
            async for chunk in host.chunks(stop=["END", "never"]):
                for choice in chunk["choices"]:
                    said += choice["delta"].get("content", "")
                    finish = choice["finish_reason"] or finish
        else:
            (choice,) = (await host.post(stop="END")).json()["choices"]
            said, finish = choice["message"]["content"], choice["finish_reason"]
    assert (said, finish) == ("4 is it. ", "stop")


async def test_several_choices_are_written_at_once() -> None:
    def reply(_: Request, draw: Draw) -> Script:
        return Script(parts=((0.0, f"{draw.index}"), (0.02, "!")))

    async with hosting(pipeline(KEEPS, Scripted(reply))) as host:
        said = {0: "", 1: "", 2: ""}
        order = []
        async for chunk in host.chunks(n=3, stream_options={"include_usage": True}):
            for choice in chunk["choices"]:
                text = choice["delta"].get("content", "")
                said[choice["index"]] += text
                order += [text] if text else []
            last = chunk
    assert said == {0: "0!", 1: "1!", 2: "2!"}
    assert order == ["0", "1", "2", "!", "!", "!"]
    assert last["usage"]["completion_tokens"] > 0
    assert last["choices"] == []


async def test_progress_is_told_in_comments() -> None:
    async with hosting(pipeline(VOTED, says("4"))) as host:
        told = [chunk async for chunk in host.chunks(polyarch={"progress": True})]
        without = [chunk async for chunk in host.chunks()]
    events = [chunk["comment"] for chunk in told if "comment" in chunk]
    assert [event["what"] for event in events if event["what"] in ("started", "ended")] == [
        "started",
        "ended",
    ]
    assert sum(event["what"] == "made" and event["step"] == "drafts" for event in events) == 3
    assert not [chunk for chunk in without if "comment" in chunk]
    (closing,) = [chunk["polyarch"] for chunk in told if "polyarch" in chunk]
    assert (closing["answer"], closing["calls"]) == ("4", 3)


async def test_texts_of_all_steps_are_told_while_they_are_written() -> None:
    parts = Scripted(lambda *_: Script(parts=((0.0, "It "), (0.01, "is 4"))))
    async with hosting(pipeline(VOTED, parts)) as host:
        told = [c async for c in host.chunks(polyarch={"progress": True, "parts": True})]
        without = [c async for c in host.chunks(polyarch={"progress": True})]
    wrote = [c["comment"] for c in told if c.get("comment", {}).get("what") == "wrote"]
    for place in range(3):
        own = [one["data"]["text"] for one in wrote if one["place"] == place]
        assert own == ["It ", "is 4"]
    assert {one["step"] for one in wrote} == {"drafts"}
    assert not [c for c in without if c.get("comment", {}).get("what") == "wrote"]


async def test_a_budget_of_the_request() -> None:
    slow = Scripted(lambda *_: Script("4", latency=30.0))
    best = {"seconds": 0.2, "on_budget": "best"}
    elsewhere = "{model: openai/x, options: {base_url: 'http://localhost:1/v1'}}"
    unpriced = VOTED.replace("name: one", "name: two").replace("scripted/x", elsewhere)
    async with hosting(pipeline(VOTED, slow), pipeline(unpriced, slow)) as host:
        refused = await host.post(polyarch={"budget": {"calls": 2}})
        dollars = await host.post(model="two", polyarch={"budget": {"usd": 1}})
        spent = await host.post(polyarch={"budget": {"seconds": 0.1}})
        ended = await host.post(polyarch={"budget": best})
        wrong = await host.post(polyarch={"budget": {"calls": 0}})
    assert refused.status_code == 400
    assert "needs at least 3 calls" in refused.json()["error"]["message"]
    assert refused.json()["error"]["code"] == "plan_refused"
    assert "nobody knows the price" in dollars.json()["error"]["message"]
    assert (spent.status_code, spent.json()["error"]["code"]) == (402, "budget_exhausted")
    assert ended.status_code == 200
    assert "no answer within 0.2 seconds" in ended.json()["polyarch"]["stopped"]
    assert wrong.json()["error"]["param"] == "polyarch.budget.calls"
    assert slow.log.under_way == 0


async def test_a_budget_of_the_server() -> None:
    async with hosting(pipeline(VOTED, says("4")), budget=Budget(tokens=20)) as host:
        told = await host.post(polyarch={"budget": {"tokens": 10**6}})
    assert (told.status_code, told.json()["error"]["code"]) == (402, "budget_exhausted")


async def test_system_messages_and_calls_go_to_the_models() -> None:
    backend = Scripted(lambda *_: "4", keep=True)
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "What is 2 + 2?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "4"},
        {"role": "user", "content": [{"type": "text", "text": "So?"}]},
    ]
    async with hosting(pipeline(ONE, backend)) as host:
        assert (await host.post(messages=turns)).status_code == 200
    messages = backend.log.seen[0].messages
    assert [m.role for m in messages] == ["system", "user", "assistant", "tool", "user"]
    assert messages[2].calls == (ToolCall("c1", "f", "{}"),)
    assert (messages[3].call, messages[4].content) == ("c1", "So?")


async def test_a_record_is_asked() -> None:
    text = (
        "name: one\nmodels: {m: scripted/x}\n"
        "question: {kind: record, fields: [a, b], text: '{a} + {b}?'}\n"
        "steps: {draft: {op: generate}}\n"
    )
    backend = Scripted(lambda *_: "4", keep=True)
    async with hosting(pipeline(text, backend)) as host:
        for body in (
            {"polyarch": {"record": {"a": 2, "b": 3}}},
            {"messages": [{"role": "user", "content": '{"a": 2, "b": 3}'}]},
        ):
            assert (await host.post(**body)).status_code == 200
        refused = await host.post()
        missing = await host.post(polyarch={"record": {"a": 2}})
    assert [request.messages[-1].text for request in backend.log.seen] == ["2 + 3?"] * 2
    assert "asks for a record" in refused.json()["error"]["message"]
    assert "no field 'b'" in missing.json()["error"]["message"]


async def test_what_decides_nothing_is_named() -> None:
    async with hosting(pipeline(ONE, says("4"))) as host:
        told = await host.post(temperature=0.3, max_tokens=5, user="me", tools=[], seed=1)
    assert told.json()["polyarch"]["ignored"] == ["temperature", "max_tokens"]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"model": "two"}, 404, "no pipeline 'two' is served"),
    ({"n": 2}, 400, "n is at most that, not 2"),
    ({"logprobs": True}, 400, "logprobs"),
    ({"response_format": {"type": "json_object"}}, 400, "the pipeline's to say"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, 400, "tools"),
    ({"tool_choice": "required"}, 400, "tool_choice"),
    ({"polyarch": {"progres": True}}, 400, "polyarch.progres"),
    ({"polyarch": {"record": {}}}, 400, "asks for no record"),
    ({"messages": [{"role": "user", "content": " "}]}, 400, "the question is empty"),
    ({"messages": [{"role": "system", "content": "x"}]}, 400, "no user message"),
    ({"stream": True, "stream_options": {"continuous_usage_stats": True}}, 400, "at its end"),
]


@pytest.mark.parametrize(("body", "status", "told"), REFUSED)
async def test_what_is_refused(body: dict[str, Any], status: int, told: str) -> None:
    backend = says("4")
    async with hosting(pipeline(ONE, backend)) as host:
        reply = await host.post(**body)
    assert reply.status_code == status
    assert told in reply.json()["error"]["message"]
    assert backend.log.requests == 0


async def test_a_pipeline_that_abstains() -> None:
    text = (
        "name: one\nmodels: {m: scripted/x}\n"
        "steps: {draft: {op: generate}, good: {op: verify, keep_at: 1}}"
    )
    wrong = json.dumps({"reason": "no", "verdict": "wrong"})
    async with hosting(pipeline(text, says(wrong))) as host:
        told = (await host.post()).json()
        chunks = [chunk async for chunk in host.chunks()]
    assert told["choices"][0]["message"]["content"] == ""
    assert told["choices"][0]["finish_reason"] == "stop"
    assert told["polyarch"]["candidates"] == []
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_a_step_that_fails_is_told_by_what_it_failed_with() -> None:
    def reply(*_: object) -> Script:
        return Script(fault=scripted_fault())

    async with hosting(pipeline(ONE, Scripted(reply))) as host:
        told = await host.post()
        streamed = await host.post(stream=True)
    for one in (told, streamed):
        error = one.json()["error"]
        assert (one.status_code, error["code"]) == (400, "context_length_exceeded")
        assert "step 'draft' failed" in error["message"]
        assert "sk-123456789abc" not in one.text


def scripted_fault() -> Any:
    from polyarch.compiler.errors import TooLong

    return TooLong("too long for key sk-123456789abc")


async def test_a_failure_on_the_way_ends_the_stream() -> None:
    from polyarch.compiler.errors import Unreachable

    reply = Script(parts=((0.0, "The "), (0.01, "answer")), fault=Unreachable("gone"))
    async with hosting(pipeline(ONE, Scripted(lambda *_: reply))) as host:
        chunks = [chunk async for chunk in host.chunks()]
    assert chunks[-1]["error"]["code"] == "upstream_unreachable"
    said = [c["choices"][0]["delta"].get("content", "") for c in chunks[:-1]]
    assert "".join(said) == "The answer"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_client_that_goes_stops_the_models(stream: bool) -> None:
    backend = Scripted(lambda *_: Script("4", latency=3600))
    made = Pipeline(compiled(VOTED), backends={"m": backend})
    async with hosting(made) as host:
        task = asyncio.create_task(host.post(stream=stream))
        while not backend.log.under_way:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for _ in range(500):
            if backend.log.cancelled == 3:
                break
            await asyncio.sleep(0.01)
        assert (backend.log.cancelled, backend.log.under_way) == (3, 0)
        (trace,) = host.hosted.traces
        while trace.state == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert trace.state == "cancelled"
        # What had been sent is paid for.
        assert trace.usage.calls == 3
        assert 'outcome="cancelled"} 1.0' in host.metrics.text().decode()


async def test_a_stop_ends_what_is_being_written() -> None:
    backend = writes((0.0, "The "), (3600.0, "answer"), last="fuse")
    said, finishes, closing = "", [], {}
    async with hosting(pipeline(FUSED, backend)) as host:
        async for chunk in host.chunks():
            for choice in chunk["choices"]:
                said += choice["delta"].get("content", "")
                finishes += [choice["finish_reason"]] if choice["finish_reason"] else []
            closing = chunk.get("polyarch", closing)
            if said == "The ":
                host.life.stop(0.2)
        refused = await host.post()
    # What was told cannot be taken back: it is the beginning of an answer that did not end.
    assert (said, finishes) == ("The ", ["length"])
    assert "the server: it stops" in str(closing["stopped"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "stopping")
    assert refused.headers["Retry-After"] == "5"
    assert backend.log.under_way == 0


async def test_where_a_budget_may_end_it_nothing_is_told_too_early() -> None:
    backend = writes((0.0, "The "), (3600.0, "answer"), last="fuse")
    best = {"seconds": 0.3, "on_budget": "best"}
    async with hosting(pipeline(FUSED, backend)) as host:
        said = "".join(await texts(host, polyarch={"budget": best}))
    # The first draft, whole, and nothing of the fused answer.
    assert said == "so"
