"""`polyarch serve-model` in a process of its own, asked by OpenAI's SDK and by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
import pytest
from served import MODEL, Server, served

from polyarch.backends.base import Draw, Request
from polyarch.backends.embedded.backend import EmbeddedBackend
from polyarch.compiler.values import Message, Purpose

STORY = (
    "Tom has 12 apples. Ann has twice as many as Tom. Ann gives away 7. "
    "How many apples does Ann have?"
)
CHAT: list[Any] = [{"role": "user", "content": STORY}]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as running:
        yield running


@pytest.fixture
async def embedded() -> AsyncIterator[EmbeddedBackend]:
    backend = EmbeddedBackend()
    yield backend
    await backend.aclose()


async def said(backend: EmbeddedBackend, seed: int, draws: int = 1, **fields: Any) -> list[str]:
    """What the model says when it is asked without a server."""
    texts = [""] * draws
    numbered = tuple(Draw(k, k, seed + k) for k in range(draws))
    fields = {"max_tokens": 256, "temperature": 0.8, **fields}
    asked = Request(
        "abacus", (Message("user", STORY),), Purpose("solve", STORY), numbered, **fields
    )
    async for piece in backend.generate(asked):
        texts[piece.draw] += piece.text
    return texts


async def test_the_sdk_gets_what_the_model_says(server: Server, embedded: EmbeddedBackend) -> None:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == [MODEL]
        assert client.models.retrieve(MODEL).id == MODEL
        told = client.chat.completions.create(model=MODEL, messages=CHAT, seed=5, n=3)
        assert [c.message.content for c in told.choices] == await said(embedded, 5, 3)
        assert [c.index for c in told.choices] == [0, 1, 2]
        assert {c.finish_reason for c in told.choices} == {"stop"}
        assert told.usage is not None
        assert told.usage.total_tokens == told.usage.prompt_tokens + told.usage.completion_tokens
        short = client.chat.completions.create(
            model=MODEL, messages=CHAT, seed=5, temperature=0, max_completion_tokens=4
        )
        (expected,) = await said(embedded, 5, temperature=0.0, max_tokens=4)
        assert short.choices[0].message.content == expected
        assert short.choices[0].finish_reason == "length"
        assert short.usage is not None
        assert short.usage.completion_tokens == 4


async def test_the_sdk_streams(server: Server, embedded: EmbeddedBackend) -> None:
    texts, finishes, usage = ["", ""], {}, None
    with openai.OpenAI(base_url=server.url, api_key="none") as client:
        for chunk in client.chat.completions.create(
            model=MODEL,
            messages=CHAT,
            seed=9,
            n=2,
            top_p=0.9,
            stream=True,
            stream_options={"include_usage": True},
        ):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
                if choice.finish_reason:
                    finishes[choice.index] = choice.finish_reason
    assert texts == await said(embedded, 9, 2, top_p=0.9)
    assert finishes == {0: "stop", 1: "stop"}
    assert usage is not None
    assert usage.completion_tokens > 10


async def test_the_sdk_asynchronously(server: Server, embedded: EmbeddedBackend) -> None:
    async with openai.AsyncOpenAI(base_url=server.url, api_key="none") as client:
        told = await asyncio.gather(
            *[
                client.chat.completions.create(model=MODEL, messages=CHAT, seed=seed)
                for seed in range(8)
            ]
        )
        stream = await client.completions.create(
            model=MODEL, prompt=STORY, seed=3, max_tokens=64, stop=["\n"], stream=True
        )
        text = "".join([chunk.choices[0].text async for chunk in stream])
    for seed, one in enumerate(told):
        assert [one.choices[0].message.content] == await said(embedded, seed)
    assert [text] == await said(embedded, 3, stop=("\n",))


async def test_logprobs(server: Server) -> None:
    with openai.OpenAI(base_url=server.url, api_key="none") as client:
        chat = client.chat.completions.create(
            model=MODEL, messages=CHAT, temperature=0, logprobs=True, top_logprobs=2
        ).choices[0]
        text = client.completions.create(
            model=MODEL, prompt=STORY, temperature=0, logprobs=2, max_tokens=256
        ).choices[0]
    assert chat.logprobs is not None
    assert chat.logprobs.content is not None
    assert "".join(token.token for token in chat.logprobs.content) == chat.message.content
    assert all(len(token.top_logprobs) == 2 for token in chat.logprobs.content)
    assert text.logprobs is not None
    assert text.logprobs.tokens == [token.token for token in chat.logprobs.content]
    assert text.logprobs.token_logprobs == [token.logprob for token in chat.logprobs.content]
    assert text.logprobs.text_offset is not None
    assert text.logprobs.text_offset[:3] == [0, 1, 2]


def post(server: Server, path: str = "chat/completions", **body: Any) -> httpx.Response:
    asked = {"model": MODEL, "messages": CHAT, **body}
    return httpx.post(f"{server.url}/{path}", json={k: v for k, v in asked.items() if v != ...})


async def test_a_reply_is_continued(server: Server, embedded: EmbeddedBackend) -> None:
    turns = [*CHAT, {"role": "assistant", "content": "12*2=24\n"}]
    told = post(server, messages=turns, continue_final_message=True, temperature=0).json()
    (expected,) = await said(embedded, 1, prefix="12*2=24\n", temperature=0.0)
    assert told["choices"][0]["message"]["content"] == expected


async def test_a_purpose_is_served(server: Server) -> None:
    purpose = {"role": "verify", "question": STORY, "shown": ["12*2=24\n24-7=16\nanswer: 16"]}
    told = post(server, polyarch=purpose, temperature=0).json()
    verdict = json.loads(told["choices"][0]["message"]["content"])
    assert verdict["verdict"] in {"right", "wrong"}


def test_continuous_usage(server: Server) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    told = post(server, stream=True, stream_options=options, seed=4, n=2)
    *events, done = [line[6:] for line in told.text.splitlines() if line]
    assert done == "[DONE]"
    chunks = [json.loads(event) for event in events]
    last = {c["choices"][0]["index"]: c["usage"] for c in chunks if c["choices"]}
    whole = chunks[-1]["usage"]
    assert chunks[-1]["choices"] == []
    assert sum(usage["completion_tokens"] for usage in last.values()) == whole["completion_tokens"]
    assert {usage["prompt_tokens"] for usage in last.values()} == {whole["prompt_tokens"]}


REFUSED: list[tuple[dict[str, Any], int, str | None, str]] = [
    ({"model": "gpt-4o"}, 404, "model_not_found", "the model 'gpt-4o' does not exist"),
    ({"messages": ...}, 400, None, "messages: Field required"),
    ({"messages": ..., "mesages": []}, 400, None, "'mesages'; did you mean \"messages\"?"),
    ({"messages": []}, 400, None, "messages: "),
    ({"messages": [{"role": "king", "content": "x"}]}, 400, None, "messages.0.role"),
    ({"messages": [{"role": "system", "content": "x"}]}, 400, None, "no user message"),
    ({"messages": [{"role": "user", "content": None}]}, 400, None, "message 0 has no content"),
    ({"messages": [{"role": "tool", "content": "x"}]}, 400, None, "tool_call_id"),
    ({"continue_final_message": True}, 400, None, "no assistant's text to continue"),
    ({"temperature": 9}, 400, None, "temperature: "),
    ({"top_p": 0}, 400, None, "top_p: "),
    ({"n": 0}, 400, None, "n: "),
    ({"n": 5000}, 400, None, "draws 1024 at once, not 5000"),
    ({"max_tokens": "many"}, 400, None, "max_tokens: "),
    ({"frequency_penalty": 0.5}, 400, None, "frequency_penalty"),
    ({"logit_bias": {"5": 1.0}}, 400, None, "logit_bias"),
    ({"top_logprobs": 2}, 400, None, "top_logprobs needs logprobs: true"),
    ({"stream_options": {}}, 400, None, "stream_options need stream: true"),
    ({"response_format": {"type": "json_object"}}, 400, None, "does not offer guided_json"),
    ({"structured_outputs": {"choice": ["a"]}}, 400, None, "does not offer guided_choice"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, 400, None, "offer tools"),
    ({"prompt_logprobs": 1}, 400, None, "does not offer prompt_logprobs"),
    ({"polyarch": {"role": "sing", "question": "x"}}, 400, None, "no role 'sing'"),
    (
        {"messages": [{"role": "user", "content": "word " * 600}]},
        400,
        "context_length_exceeded",
        "holds 512 tokens",
    ),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("body", "status", "code", "told"), REFUSED)
def test_what_is_refused(
    server: Server, stream: bool, body: dict[str, Any], status: int, code: str | None, told: str
) -> None:
    if stream and "stream_options" not in body:
        body = {**body, "stream": True}
    reply = post(server, **body)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (status, code)
    assert told in error["message"]
    assert error["type"] == "invalid_request_error"
    assert "\n" not in error["message"]


def test_texts_are_refused(server: Server) -> None:
    for body, told in (
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": "x", "echo": True}, "echo"),
        ({"prompt": "x", "best_of": 3}, "best_of is not offered"),
    ):
        reply = post(server, "completions", messages=..., **body)
        assert reply.status_code == 400
        assert told in reply.json()["error"]["message"]


def test_what_is_no_request(server: Server) -> None:
    url = f"{server.url}/chat/completions"
    headers = {"Content-Type": "application/json"}
    assert httpx.post(url, content=b"{", headers=headers).status_code == 400
    assert httpx.post(url, content=b"{}").status_code == 415
    assert httpx.post(url, content=b" " * (33 << 20), headers=headers).status_code == 413
    assert httpx.get(url).status_code == 405
    assert httpx.get(f"{server.url}/nothing").status_code == 404
    assert httpx.get(f"{server.url}/models/x").json()["error"]["code"] == "not_found"
    assert httpx.get(f"{server.url}/models", headers={"Host": "evil.test"}).status_code == 403


async def test_a_client_that_goes_stops_the_work(server: Server) -> None:
    before = server.metrics().get('polyarch_requests_totaloutcome="cancelled"', 0)
    for stream in (True, False):
        async with httpx.AsyncClient() as client:
            asked = {"model": MODEL, "messages": CHAT, "n": 1024, "stream": stream}
            task = asyncio.create_task(client.post(f"{server.url}/chat/completions", json=asked))
            await until(lambda: server.running() == 1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await until(lambda: server.running() == 0)
    assert server.metrics()['polyarch_requests_totaloutcome="cancelled"'] == before + 2
    made = server.metrics()["polyarch_completion_tokens_total"]
    assert post(server, max_tokens=1).status_code == 200
    assert server.metrics()["polyarch_completion_tokens_total"] == made + 1


async def until(holds: Any) -> None:
    """Wait until it is so, for ten seconds."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never was")


def test_metrics_count_tokens(server: Server) -> None:
    before = server.metrics()
    told = post(server, seed=1).json()["usage"]
    after = server.metrics()
    for name in ("prompt", "completion"):
        metric = f"polyarch_{name}_tokens_total"
        assert after[metric] - before.get(metric, 0) == told[f"{name}_tokens"]
    cached = "polyarch_cached_tokens_total"
    assert after[cached] - before[cached] == told["prompt_tokens_details"]["cached_tokens"]
    text = httpx.get(f"{server.url.removesuffix('/v1')}/metrics")
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE polyarch_requests_running gauge\n" in text.text
    assert httpx.get(f"{server.url.removesuffix('/v1')}/health").json() == {"status": "ok"}
