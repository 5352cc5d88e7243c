"""Clients that people use, against `polyarch serve` in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from served import Server, served

STORY = "Tom has 12 apples. Ann has twice as many as Tom. How many apples does Ann have?"
CHAT: list[Any] = [{"role": "user", "content": STORY}]
WHOLE = "Twice twelve is 24.\nanswer: 24"
PIPELINES = """
name: told
answer: number
models:
  m:
    model: scripted/x
    options: {replies: [{role: fuse, texts: ["%s"]}, {texts: ["24"], cycle: true}]}
steps: {drafts: {op: generate, n: 3}, fused: {op: fuse}}
---
name: kept
models: {m: {model: scripted/x, options: {replies: [{texts: [a, b, c]}]}}}
steps: {drafts: {op: generate, n: 3}}
output: {from: drafts, keep: 3}
""" % WHOLE.replace("\n", "\\n")  # noqa: UP031 -- braces are YAML's
KEY = "client-key-123"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    files = []
    for text in PIPELINES.split("---\n"):
        file = tmp_path_factory.mktemp("pipelines") / "p.yaml"
        file.write_text(text)
        files.append(str(file))
    environment = {"KEYS": KEY}
    arguments = ("--key-env", "KEYS", "-q")
    with served(*files, *arguments, environment=environment, command="serve") as running:
        yield running


def test_the_sdk(server: Server) -> None:
    with openai.OpenAI(base_url=server.url, api_key=KEY, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["told", "kept"]
        assert client.models.retrieve("kept").id == "kept"
        told = client.chat.completions.create(
            model="told", messages=CHAT, seed=3, temperature=0.2, max_tokens=50
        )
        kept = client.chat.completions.create(model="kept", messages=CHAT, n=3)
        text = client.completions.create(model="told", prompt=STORY, max_tokens=50)
        with pytest.raises(openai.NotFoundError, match="model_not_found"):
            client.chat.completions.create(model="tolled", messages=CHAT)
        with pytest.raises(openai.BadRequestError, match="n is at most"):
            client.chat.completions.create(model="told", messages=CHAT, n=2)
    assert told.choices[0].message.content == WHOLE
    assert told.choices[0].finish_reason == "stop"
    assert told.usage is not None
    extension = (told.model_extra or {})["polyarch"]
    assert (extension["answer"], extension["calls"], extension["seed"]) == ("24", 4, 3)
    assert extension["ignored"] == ["temperature", "max_tokens"]
    assert [choice.message.content for choice in kept.choices] == ["a", "b", "c"]
    assert text.choices[0].text == WHOLE


def test_the_sdk_with_a_wrong_key(server: Server) -> None:
    client = openai.OpenAI(base_url=server.url, api_key="wrong-key-1", max_retries=0)
    with client, pytest.raises(openai.AuthenticationError) as caught:
        client.models.list()
    assert "wrong-key-1" not in str(caught.value)


def test_the_sdk_streams(server: Server) -> None:
    with openai.OpenAI(base_url=server.url, api_key=KEY) as client:
        stream = client.chat.completions.create(
            model="told",
            messages=CHAT,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"polyarch": {"progress": True, "budget": {"calls": 10}}},
        )
        chunks = list(stream)
        texts = client.completions.create(model="told", prompt=STORY, stream=True)
        text = "".join(chunk.choices[0].text for chunk in texts)
    said = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(said) == WHOLE == text
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens == len(WHOLE) // 4 + 3


async def test_the_sdk_asynchronously(server: Server) -> None:
    async with openai.AsyncOpenAI(base_url=server.url, api_key=KEY) as client:
        whole = await client.chat.completions.create(model="told", messages=CHAT)
        stream = await client.chat.completions.create(model="kept", messages=CHAT, n=2, stream=True)
        said = {0: "", 1: ""}
        async for chunk in stream:
            for choice in chunk.choices:
                said[choice.index] += choice.delta.content or ""
        async with client.chat.completions.stream(model="told", messages=CHAT) as events:
            final = await events.get_final_completion()
    assert whole.choices[0].message.content == WHOLE
    assert said == {0: "a", 1: "b"}
    assert final.choices[0].message.content == WHOLE


def test_litellm(server: Server) -> None:
    litellm = pytest.importorskip("litellm")
    asked = {
        "model": "openai/told",
        "messages": CHAT,
        "api_base": server.url,
        "api_key": KEY,
        "temperature": 0.1,
    }
    told = litellm.completion(**asked)
    assert told.choices[0].message.content == WHOLE
    assert told.usage.completion_tokens == len(WHOLE) // 4 + 3
    said = [
        chunk.choices[0].delta.content or "" for chunk in litellm.completion(**asked, stream=True)
    ]
    assert "".join(said) == WHOLE


def curl(server: Server, path: str, *arguments: str, body: object = None) -> str:
    words = ["curl", "-sSN", "-H", f"Authorization: Bearer {KEY}", *arguments]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    done = subprocess.run(
        [*words, f"{server.url}/{path}"], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl(server: Server) -> None:
    body = {"model": "told", "messages": CHAT}
    models = json.loads(curl(server, "models"))
    assert [model["id"] for model in models["data"]] == ["told", "kept"]
    told = json.loads(curl(server, "chat/completions", body=body))
    assert told["choices"][0]["message"]["content"] == WHOLE
    streamed = curl(server, "chat/completions", body={**body, "stream": True})
    *events, done = [line[6:] for line in streamed.splitlines() if line.startswith("data: ")]
    assert done == "[DONE]"
    said = [json.loads(event)["choices"][0]["delta"].get("content", "") for event in events]
    assert "".join(said) == WHOLE
    status = curl(server, "completions", "-o", "/dev/null", "-w", "%{http_code}", body={})
    assert status == "400"
