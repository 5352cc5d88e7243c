"""The litellm backend over real sockets: draws, usage, cancellation, errors, connections, loops."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web
from server import Asked, Raw, Server
from sim import compiled

from polyarch.backends.base import Backend, Draw, Piece, Request
from polyarch.backends.litellm import open_backend
from polyarch.backends.litellm.importing import load
from polyarch.compiler.errors import (
    BackendError,
    BadRequest,
    NoSuchModel,
    RateLimited,
    RunError,
    ServerFailed,
    TimedOut,
    TooLong,
    Unauthorized,
    Unreachable,
)
from polyarch.compiler.values import Image, Json, Message, Purpose, Tool, ToolCall
from polyarch.runtime.session import Session

KEY = "sk-very-s3cret-0123456789"
PROVIDERS = ["openai", "hosted_vllm"]
"""One goes through OpenAI's client, the other through litellm's own."""


@pytest.fixture(scope="module", autouse=True)
def frozen() -> None:
    """litellm's two thousand modules are not looked through at every collection, here or later: it
    takes a second."""
    load()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Unclosed connections are warnings when they are collected, and warnings are errors."""
    yield
    gc.collect()
    assert not [key for key in load().in_memory_llm_clients_cache.cache_dict if "127.0.0.1" in key]


def asking(draws: int = 1, text: str = "What?", **fields: Any) -> Request:
    numbered = tuple(Draw(5 + i, i, 100 + i) for i in range(draws))
    messages = fields.pop("messages", (Message("user", text),))
    return Request("m", messages, Purpose("solve", text), numbered, 64, **fields)


def opened(server: Server | str, provider: str = "openai", **options: Json) -> Backend:
    url = server if isinstance(server, str) else server.url
    return open_backend(f"{provider}/m", {"api_base": url, **options})


async def ask(backend: Backend, request: Request) -> list[Piece]:
    async with aclosing(backend.generate(request)) as pieces:
        return [piece async for piece in pieces]


async def ask_once(
    server: Server | str, request: Request, provider: str = "openai", **options: Json
) -> list[Piece]:
    async with aclosing(opened(server, provider, **options)) as backend:
        return await ask(backend, request)


def texts(pieces: list[Piece]) -> dict[int, str]:
    found: dict[int, str] = {}
    for piece in pieces:
        found[piece.draw] = found.get(piece.draw, "") + piece.text
    return found


def counted(asked: Asked) -> str:
    return f"draw {asked.index} with seed {asked.body.get('seed')}"


async def settled(server: Server, **expected: int) -> None:
    """Wait until the server has seen so many."""
    by = time.monotonic() + 5.0
    while {name: server.count()[name] for name in expected} != expected:
        assert time.monotonic() < by, server.count()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("options", [{}, {"stream": False}, {"n": False}], ids=str)
@pytest.mark.parametrize("draws", [1, 3])
async def test_texts_usage_and_one_finish_a_draw(
    provider: str, options: dict[str, Json], draws: int
) -> None:
    apart = "n" in options and draws > 1
    async with Server(counted, keep=True) as server:
        pieces = await ask_once(server, asking(draws, "one two three"), provider, **options)
        assert server.count()["requests"] == (draws if apart else 1)
        whole = "stream" in options or (draws > 1 and not apart)
        assert all(bool(body.get("stream")) != whole for body in server.bodies)
    expected = [0] * draws if apart else range(draws)
    assert texts(pieces) == {5 + i: f"draw {n} with seed None" for i, n in enumerate(expected)}
    assert sum(piece.prompt_tokens for piece in pieces) == (3 * draws if apart else 3)
    assert sum(piece.completion_tokens for piece in pieces) == 5 * draws
    finished = [(piece.draw, piece.finish) for piece in pieces if piece.finish]
    assert sorted(finished) == [(5 + i, "stop") for i in range(draws)]


async def test_parameters_go_where_they_belong() -> None:
    schema = {"type": "object"}
    request = asking(
        temperature=0.5, top_p=0.9, top_k=7, stop=("x",), schema=schema, tools=(WEATHER,)
    )
    async with Server(counted, keep=True) as server:
        await ask_once(server, request, "hosted_vllm", seed=True, tools=True, guided=True)
        (body,) = server.bodies
    assert (body["temperature"], body["top_p"], body["top_k"]) == (0.5, 0.9, 7)
    assert (body["stop"], body["seed"], body["max_tokens"]) == (["x"], 100, 64)
    assert body["response_format"]["json_schema"]["schema"] == schema
    (tool,) = body["tools"]
    assert tool["function"]["name"] == "weather"
    assert body["messages"] == [{"role": "user", "content": "What?"}]


@pytest.mark.parametrize(("provider", "sent"), [("openai", False), ("hosted_vllm", True)])
async def test_defaults_are_sent_where_a_server_has_its_own(provider: str, sent: bool) -> None:
    async with Server(counted, keep=True) as server:
        await ask_once(server, asking(), provider)
        (body,) = server.bodies
    assert ("temperature" in body, "top_p" in body) == (sent, sent)


async def test_a_reply_may_be_cut_off_at_its_length() -> None:
    async with Server(lambda asked: "word " * (100 if asked.index else 3)) as server:
        one, *_, last = await ask_once(server, asking(2))
    assert (one.finish, last.finish) == ("stop", "length")
    assert [len(piece.text.split()) for piece in (one, last)] == [3, 64]


async def test_pieces_come_as_they_are_written() -> None:
    async with Server(lambda asked: "a b c d", pace=0.03) as server:
        pieces = await ask_once(server, asking())
    assert [piece.text for piece in pieces if piece.text] == ["a", " b", " c", " d"]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_closing_aborts_at_the_server(provider: str) -> None:
    async with (
        Server(lambda asked: "word " * 60, pace=0.02) as server,
        aclosing(opened(server, provider)) as backend,
    ):
        for times in (1, 2):  # the second is none the worse for the first
            async with aclosing(backend.generate(asking())) as pieces:
                assert (await anext(pieces)).text == "word"
            await settled(server, aborted=times, under_way=0)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("draws", [1, 4])
async def test_cancelling_aborts_at_the_server(provider: str, draws: int) -> None:
    async with Server(latency=30.0) as server, aclosing(opened(server, provider, n=False)) as b:
        task = asyncio.create_task(ask(b, asking(draws)))
        await settled(server, under_way=draws)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settled(server, aborted=draws, under_way=0)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_cancelling_at_any_moment_loses_nothing(provider: str) -> None:
    async with Server(latency=30.0) as server, aclosing(opened(server, provider)) as backend:
        for turns in range(40):
            task = asyncio.create_task(ask(backend, asking()))
            for _ in range(turns):
                await asyncio.sleep(0.0001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        gc.collect()  # a coroutine that was never awaited would warn
        await settled(server, under_way=0)


async def test_a_timeout_around_it_is_a_timeout() -> None:
    async with Server(latency=30.0) as server, aclosing(opened(server)) as backend:
        for seconds in (0.0, 0.001, 0.1):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds):
                    await ask(backend, asking())


async def test_connections_are_kept() -> None:
    async with Server() as server, aclosing(opened(server)) as backend:
        for _ in range(5):
            await ask(backend, asking())
        assert server.count()["connections"] == 1


def test_loop_after_loop() -> None:
    async def once() -> dict[int, str]:
        async with Server(counted) as server:
            return texts(await ask_once(server, asking()))

    assert [asyncio.run(once()) for _ in range(3)] == [{5: "draw 0 with seed None"}] * 3


async def test_what_others_have_open_stays_open() -> None:
    cache = load().in_memory_llm_clients_cache.cache_dict
    async with Server() as server, aclosing(opened(server)) as first:
        await ask(first, asking())
        kept = set(cache)
        await ask_once(server, asking())
        assert kept <= set(cache)
        await ask(first, asking())
        assert server.count()["connections"] == 1


CHUNK = '{{"id": "x", "object": "chat.completion.chunk", "choices": [{choice}]{more}}}'


def events(
    *choices: dict[str, Any], usage: dict[str, Any] | None = None, done: str = "[DONE]"
) -> Raw:
    chunks = [CHUNK.format(choice=json.dumps({"index": 0, **c}), more="") for c in choices]
    if usage is not None:
        chunks.append(CHUNK.format(choice="", more=f', "usage": {json.dumps(usage)}'))
    blocks = [f"data: {chunk}\n\n".encode() for chunk in (*chunks, done) if chunk]
    return Raw([b"".join(blocks)])


WEATHER = Tool("weather", "Tells the weather.", {"type": "object", "properties": {}})
STOP = {"delta": {}, "finish_reason": "stop"}


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_tool_calls_come_whole(provider: str) -> None:
    def part(index: int, text: str, **more: Any) -> dict[str, Any]:
        call = {"index": index, "function": {"arguments": text}, **more}
        return {"delta": {"tool_calls": [call]}}

    def begun(index: int, name: str) -> dict[str, Any]:
        function = {"name": name, "arguments": ""}
        return part(index, "", id=f"c{index}", type="function") | {
            "delta": {
                "tool_calls": [
                    {"index": index, "id": f"c{index}", "type": "function", "function": function}
                ]
            }
        }

    raw = events(
        begun(0, "weather"),
        part(0, '{"city":'),
        part(0, ' "Oslo"}'),
        begun(1, "time"),
        part(1, "{}"),
        {"delta": {}, "finish_reason": "tool_calls"},
        usage={"prompt_tokens": 9, "completion_tokens": 11, "total_tokens": 20},
    )
    async with Server(lambda asked: raw) as server:
        pieces = await ask_once(server, asking(tools=(WEATHER,)), provider, tools=True)
    assert [piece.calls for piece in pieces if piece.calls] == [
        (ToolCall("c0", "weather", '{"city": "Oslo"}'), ToolCall("c1", "time", "{}"))
    ]
    assert pieces[-1].finish == "tools"
    assert sum(piece.completion_tokens for piece in pieces) == 11


async def test_what_a_tool_said_is_sent() -> None:
    turns = (
        Message("user", "What?"),
        Message("assistant", "", calls=(ToolCall("c0", "weather", "{}"),)),
        Message("tool", "rain", call="c0"),
    )
    async with Server(counted, keep=True) as server:
        await ask_once(server, asking(messages=turns, tools=(WEATHER,)), tools=True)
        _, said, told = server.bodies[0]["messages"]
    assert said["tool_calls"][0]["function"] == {"name": "weather", "arguments": "{}"}
    assert (told["role"], told["tool_call_id"], told["content"]) == ("tool", "c0", "rain")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_reasoning_is_apart_and_cached_tokens_are_counted(provider: str) -> None:
    raw = events(
        {"delta": {"reasoning_content": "hm, "}},
        {"delta": {"reasoning_content": "so"}},
        {"delta": {"content": "4"}},
        STOP,
        usage={
            "prompt_tokens": 9,
            "completion_tokens": 6,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
    )
    async with Server(lambda asked: raw) as server:
        pieces = await ask_once(server, asking(), provider)
    assert "".join(piece.reasoning for piece in pieces) == "hm, so"
    assert texts(pieces) == {5: "4"}
    assert sum(piece.completion_tokens for piece in pieces) == 6
    assert (pieces[-1].prompt_tokens, pieces[-1].cached_tokens) == (9, 4)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_probabilities_of_tokens(provider: str) -> None:
    told = {"token": "4", "logprob": -0.5, "bytes": None}
    logprobs = {"content": [{**told, "top_logprobs": [told, {**told, "token": "5"}]}]}
    raw = events({"delta": {"content": "4"}, "logprobs": logprobs}, STOP)
    async with Server(lambda asked: raw, keep=True) as server:
        pieces = await ask_once(server, asking(logprobs=2), provider, logprobs=True)
        assert (server.bodies[0]["logprobs"], server.bodies[0]["top_logprobs"]) == (True, 2)
    (token,) = [token for piece in pieces for token in piece.logprobs]
    assert (token.token, token.logprob, len(token.top)) == ("4", -0.5, 2)


async def test_without_usage_it_is_estimated() -> None:
    raw = events({"delta": {"content": "a b"}}, {"delta": {"content": " c"}}, STOP)
    async with Server(lambda asked: raw) as server:
        pieces = await ask_once(server, asking(text="x" * 40))
    assert sum(piece.completion_tokens for piece in pieces) == 2
    assert sum(piece.prompt_tokens for piece in pieces) == 10


async def test_thinking_is_on_top_of_the_completion() -> None:
    async with Server(counted, keep=True) as server:
        await ask_once(server, asking(thinking=100), "hosted_vllm", thinking=True)
        (body,) = server.bodies
    assert body["max_tokens"] == 164


async def test_images() -> None:
    shown = (Message("user", ("Who?", Image("data:image/png;base64,AAAA"))),)
    async with Server(counted, keep=True) as server:
        await ask_once(server, asking(messages=shown), images=True)
        _, image = server.bodies[0]["messages"][0]["content"]
    assert image["image_url"]["url"] == "data:image/png;base64,AAAA"


async def test_embeddings() -> None:
    async def embed(request: web.Request) -> web.Response:
        body = await request.json()
        assert body["input"] == ["one\n\ntwo"]
        data = [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        return web.json_response({"object": "list", "model": "m", "data": data, "usage": usage})

    app = web.Application()
    app.router.add_post("/v1/embeddings", embed)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        turns = (Message("user", "one"), Message("user", "two"))
        request = asking(messages=turns, wants="embedding")
        (piece,) = await ask_once(url, request, embeddings=True)
    finally:
        await runner.cleanup()
    assert (piece.values, piece.prompt_tokens, piece.finish) == ((0.5, -1.0), 3, "stop")


def wrong(status: int, said: str, headers: dict[str, str] | None = None) -> Raw:
    told = json.dumps({"error": {"message": said, "type": "x", "code": None}})
    return Raw([told.encode()], status, {"Content-Type": "application/json", **(headers or {})})


BEGUN = events({"delta": {"content": "4"}}, done="").blocks
HALF = Raw(BEGUN, then="cut")
FAILURES: dict[str, tuple[Raw, type[BackendError]]] = {
    "400": (wrong(400, "no such thing"), BadRequest),
    "401": (wrong(401, f"bad {KEY}"), Unauthorized),
    "403": (wrong(403, "not you"), Unauthorized),
    "404": (wrong(404, "no model m"), NoSuchModel),
    "422": (wrong(422, "not so"), BadRequest),
    "too long": (wrong(400, "the maximum context length is 5 tokens"), TooLong),
    "429": (wrong(429, "slow down", {"Retry-After": "3"}), RateLimited),
    "500": (wrong(500, "oops"), ServerFailed),
    "503": (wrong(503, "oops"), ServerFailed),
    "empty": (Raw([]), ServerFailed),
    "json": (Raw([b'data: {"choices"\n\n']), ServerFailed),
    "page": (Raw([b"<html>"], 200, {"Content-Type": "text/html"}), ServerFailed),
    "truncated": (Raw(BEGUN), ServerFailed),
    "half": (HALF, BackendError),
    "late": (Raw([b'data: {"error": {"message": "overloaded"}}\n\n']), ServerFailed),
}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("name", FAILURES)
async def test_failures(
    name: str,
    provider: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    raw, kind = FAILURES[name]
    monkeypatch.setenv("MY_KEY", KEY)
    async with Server(lambda asked: raw) as server:
        with pytest.raises(kind) as caught:
            await ask_once(server, asking(), provider, key_env="MY_KEY")
        assert server.count()["requests"] == 1
        assert server.url in str(caught.value)
    said = str(caught.value)
    assert KEY not in everything(caught.value)
    assert "\n" not in said
    assert "litellm." not in said
    assert caught.value.retry_after == (3.0 if name == "429" else None)
    assert capfd.readouterr() == ("", "")


def everything(error: BaseException | None) -> str:
    """All that a report of an error could show."""
    told = ""
    while error is not None:
        told += f"{error!r} {error} {vars(error)} {error.__context__!r} {error.__context__}"
        error = error.__cause__ or error.__context__
    return told


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_keys_are_in_no_error(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)  # read by litellm, not by us
    async with Server(lambda asked: wrong(400, f"odd: {KEY}")) as server:
        with pytest.raises(BadRequest, match=r"odd: \[key\]") as caught:
            await ask_once(server, asking(), provider)
    assert KEY not in everything(caught.value)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_dead_port(provider: str) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        await ask_once("http://127.0.0.1:9/v1", asking(), provider)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_server_that_hangs(provider: str) -> None:
    for raw in (Raw([], then="hang"), Raw(BEGUN, then="hang")):
        async with Server(lambda asked, raw=raw: raw) as server:
            with pytest.raises(TimedOut):
                await ask_once(server, asking(), provider, timeout_read=0.2)


async def test_keys_go_where_they_are_meant_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-others")
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    async with Server(counted, keep=True) as server:
        await ask_once(server, asking())
        await ask_once(server, asking(), key_env="MY_KEY", headers={"X-Team": "blue"})
        plain, own = server.headers
        with pytest.raises(Unauthorized, match="needs a key: set UNSET_KEY"):
            await ask_once(server, asking(), key_env="UNSET_KEY")
    assert plain["Authorization"] == "Bearer none"
    assert (own["Authorization"], own["x-team"]) == (f"Bearer {KEY}", "blue")


async def test_a_key_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with aclosing(open_backend("openai/gpt-4o-mini", {})) as backend:
        with pytest.raises(Unauthorized, match="OPENAI_API_KEY"):
            await ask(backend, asking())


@pytest.mark.parametrize(
    ("model", "fields", "told"),
    [
        ("anthropic/claude-sonnet-4-5", {"stop": ("x",), "logprobs": 1}, "does not offer logprobs"),
        ("openai/gpt-5", {"stop": ("x",)}, "takes no stop"),
        ("openai/gpt-4o-mini", {"regex": "a"}, "does not offer guided_regex"),
    ],
)
async def test_nothing_is_dropped_in_silence(
    model: str, fields: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    async with aclosing(open_backend(model, {"key_env": "MY_KEY"})) as backend:
        with pytest.raises(BadRequest, match=told):
            await ask(backend, asking(**fields))


async def test_a_value_that_a_model_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    async with aclosing(open_backend("openai/gpt-5", {"key_env": "MY_KEY"})) as backend:
        with pytest.raises(BadRequest, match="temperature"):
            await ask(backend, asking(temperature=0.3))


@pytest.mark.parametrize("option", ["n", "seed", "logprobs"])
def test_an_option_that_the_provider_has_not(option: str) -> None:
    with pytest.raises(BadRequest, match=f"takes no {option}, says litellm"):
        open_backend("anthropic/claude-sonnet-4-5", {option: True})


def test_a_provider_that_litellm_does_not_know(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BackendError, match="litellm/opnai/gpt"):
        open_backend("opnai/gpt", {})
    assert capfd.readouterr() == ("", "")


async def test_no_setting_of_litellms_is_changed() -> None:
    litellm = load()
    watched = [
        *("api_key", "callbacks", "success_callback", "failure_callback", "drop_params", "cache"),
        *("num_retries", "set_verbose", "_async_success_callback", "model_fallbacks"),
    ]
    before = {name: repr(getattr(litellm, name)) for name in watched}
    async with Server(counted) as server:
        await ask_once(server, asking(2))
        await ask_once(server, asking())
    assert {name: repr(getattr(litellm, name)) for name in watched} == before


def test_what_is_reserved_for_a_prompt() -> None:
    backend = open_backend("openai/gpt-4o-mini", {})
    assert backend.prompt_tokens(asking(text="Größe")) == 7 + 8
    shown = (Message("user", ("Größe", Image("data:,"))),)
    assert backend.prompt_tokens(asking(messages=shown)) == 7 + 8 + 4096
    assert backend.prompt_tokens(asking(text="Größe", schema={"type": "object"})) == 7 + 8 + 18


async def test_a_pipeline_of_judges() -> None:
    async with Server() as server:
        made = compiled(f"""
name: p
answer: number
models:
  m: {{model: litellm/openai/m, options: {{api_base: "{server.url}", guided: true}}}}
steps:
  drafts: {{op: generate, n: 6}}
  checked: {{op: verify}}
  best: {{op: rank, keep: 3}}
  fused: {{op: fuse}}
""")
        async with Session(made) as session:
            result = await session.ask("What?")
        assert result.answer is not None
        assert result.usage.calls == 6 + 6 + 2 + 1
        # The six drafts were one request.
        assert server.count()["requests"] == 1 + 6 + 2 + 1


async def test_a_pipeline_over_a_server_that_fails() -> None:
    async with Server(lambda asked: wrong(401, KEY)) as server:
        made = compiled(f"""
name: p
models: {{m: {{model: litellm/openai/m, options: {{api_base: "{server.url}"}}}}}}
steps: {{draft: {{op: generate}}}}
""")
        async with Session(made) as session:
            with pytest.raises(RunError, match="refuses the request"):
                await session.ask("What?")
