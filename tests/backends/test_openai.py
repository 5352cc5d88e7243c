"""The openai backend over real sockets: streams, cancellation, connections, several draws, keys."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from typing import Any

import pytest
from server import EVENTS, Asked, Raw, Server
from sim import compiled

from polyarch.backends.base import Backend, Draw, Piece, Request
from polyarch.backends.openai import open_backend
from polyarch.compiler.errors import BackendError, RunError, Unauthorized
from polyarch.compiler.values import Image, Json, Message, Purpose
from polyarch.runtime.session import Session

KEY = "sk-very-s3cret-0123456789"


def asking(draws: int = 1, text: str = "What?", **fields: Any) -> Request:
    numbered = tuple(Draw(5 + i, i, 100 + i) for i in range(draws))
    messages = (Message("user", text),)
    return Request("m", messages, Purpose("solve", text), numbered, 64, **fields)


def opened(server: Server, **options: Json) -> Backend:
    return open_backend("m", {"base_url": server.url, **options})


async def ask(backend: Backend, request: Request) -> list[Piece]:
    async with aclosing(backend.generate(request)) as pieces:
        return [piece async for piece in pieces]


async def ask_once(server: Server, request: Request, **options: Json) -> list[Piece]:
    async with aclosing(opened(server, **options)) as backend:
        return await ask(backend, request)


def texts(pieces: list[Piece]) -> dict[int, str]:
    found: dict[int, str] = {}
    for piece in pieces:
        found[piece.draw] = found.get(piece.draw, "") + piece.text
    return found


def counted(asked: Asked) -> str:
    return f"draw {asked.index} with seed {asked.body.get('seed')}"


SHAPES: list[dict[str, Json]] = [
    {},
    {"stream": False},
    {"api": "completions"},
    {"api": "completions", "stream": False},
    {"continuous_usage": True},
]


@pytest.mark.parametrize("options", SHAPES, ids=str)
@pytest.mark.parametrize("draws", [1, 3])
async def test_every_shape_gives_texts_usage_and_one_finish_a_draw(
    options: dict[str, Json], draws: int
) -> None:
    async with Server(counted) as server:
        pieces = await ask_once(server, asking(draws, "one two three"), **options)
        assert server.count()["requests"] == 1
    assert texts(pieces) == {5 + i: f"draw {i} with seed None" for i in range(draws)}
    assert sum(piece.prompt_tokens for piece in pieces) == 3
    assert sum(piece.completion_tokens for piece in pieces) == 5 * draws
    finished = [(piece.draw, piece.finish) for piece in pieces if piece.finish]
    assert sorted(finished) == [(5 + i, "stop") for i in range(draws)]


async def test_a_reply_may_be_cut_off_at_its_length() -> None:
    async with Server(lambda asked: "word " * 100) as server:
        pieces = await ask_once(server, asking())
    assert (pieces[-1].finish, len(texts(pieces)[5].split())) == ("length", 64)


async def test_pieces_come_as_they_are_written() -> None:
    async with Server(lambda asked: "a b c d", pace=0.03) as server:
        pieces = await ask_once(server, asking())
    assert [piece.text for piece in pieces if piece.text] == ["a", " b", " c", " d"]


async def test_closing_aborts_at_the_server() -> None:
    async with (
        Server(lambda asked: "word " * 60, pace=0.02) as server,
        aclosing(opened(server)) as backend,
    ):
        for times in (1, 2):  # the second is none the worse for the first
            async with aclosing(backend.generate(asking())) as pieces:
                assert (await anext(pieces)).text == "word"
            await settled(server, aborted=times, under_way=0)


@pytest.mark.parametrize("draws", [1, 4])
async def test_cancelling_aborts_at_the_server(draws: int) -> None:
    async with Server(latency=30.0) as server, aclosing(opened(server, n=False)) as backend:
        task = asyncio.create_task(ask(backend, asking(draws)))
        await settled(server, under_way=draws)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settled(server, aborted=draws, under_way=0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def settled(server: Server, **expected: int) -> None:
    """Wait until the server has seen so many."""
    by = time.monotonic() + 5.0
    while {name: server.count()[name] for name in expected} != expected:
        assert time.monotonic() < by, server.count()
        await asyncio.sleep(0.01)


async def test_connections_are_kept() -> None:
    async with Server() as server, aclosing(opened(server)) as backend:
        for _ in range(5):
            await ask(backend, asking())
        assert server.count()["connections"] == 1
        for _ in range(3):
            await asyncio.gather(*[ask(backend, asking()) for _ in range(200)])
        assert server.count()["requests"] == 605
        assert server.count()["connections"] <= 200


@pytest.mark.parametrize("raw", [Raw([b"{}"], 500), Raw([b"data: {}\n\n"])], ids=["500", "200"])
async def test_connections_are_kept_after_failures(raw: Raw) -> None:
    async with Server(lambda asked: raw) as server, aclosing(opened(server)) as backend:
        for _ in range(3):
            with pytest.raises(BackendError):
                await ask(backend, asking())
        assert server.count()["connections"] == 1


async def test_a_stream_that_does_not_end_after_it_is_done() -> None:
    done = b'data: {"choices": [{"delta": {"content": "4"}, "finish_reason": "stop"}]}\n\n'
    raw = Raw([done, b"data: [DONE]\n\n"], then="hang")
    async with Server(lambda asked: raw) as server, aclosing(opened(server)) as backend:
        async with aclosing(backend.generate(asking())) as pieces:
            assert (await anext(pieces)).text == "4"
            assert (await anext(pieces)).finish == "stop"
        await settled(server, under_way=0)


async def test_without_n_each_draw_is_a_request() -> None:
    async with Server(counted, keep=True) as server:
        pieces = await ask_once(server, asking(3), seed=True)
        assert sorted(body["seed"] for body in server.bodies) == [100, 101, 102]
        assert all("n" not in body for body in server.bodies)
    assert texts(pieces) == {5 + i: f"draw 0 with seed {100 + i}" for i in range(3)}
    # The first draw is charged with all prompts, so it ends last.
    assert sum(piece.prompt_tokens for piece in pieces if piece.draw == 5) == 3
    assert sum(piece.prompt_tokens for piece in pieces) == 3
    assert [piece.draw for piece in pieces if piece.finish][-1] == 5


async def test_of_draws_asked_apart_one_failure_ends_all() -> None:
    def reply(asked: Asked) -> Raw | str:
        return Raw([b"{}"], 500) if asked.body["seed"] == 101 else Raw([30.0])

    async with Server(reply) as server:
        with pytest.raises(BackendError):
            await ask_once(server, asking(3), seed=True)
        await settled(server, under_way=0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_server_that_ignores_stream() -> None:
    choice = b'{"choices": [{"message": {"content": "4"}, "finish_reason": "stop"}]}'
    raw = Raw([choice], headers={"Content-Type": "application/json; charset=utf-8"})
    async with Server(lambda asked: raw) as server:
        assert texts(await ask_once(server, asking())) == {5: "4"}


async def test_characters_may_be_cut_in_two() -> None:
    event = 'data: {"choices": [{"delta": {"content": "π ≈ 3"}, "finish_reason": "stop"}]}\n\n'
    blocks: list[bytes | float] = [
        part for byte in event.encode() for part in (bytes([byte]), 0.0005)
    ]
    raw = Raw([*blocks, b"data: [DONE]\n\n"], headers={"Content-Type": EVENTS})
    async with Server(lambda asked: raw) as server:
        assert texts(await ask_once(server, asking())) == {5: "π ≈ 3"}


async def test_opening_and_closing_without_asking() -> None:
    backend = open_backend("m", {})
    await backend.aclose()
    await backend.aclose()


async def test_keys_go_where_they_are_meant_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-others")
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    async with Server(counted, keep=True) as server:
        await ask_once(server, asking())
        await ask_once(server, asking(), key_env="MY_KEY", headers={"X-Team": "blue"})
        await ask_once(server, asking(), key_env="UNSET_KEY")
        plain, own, unset = server.headers
    assert "Authorization" not in plain
    assert (own["Authorization"], own["X-Team"]) == (f"Bearer {KEY}", "blue")
    assert "Authorization" not in unset


async def test_openai_wants_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with aclosing(open_backend("gpt-4o", {})) as backend:
        with pytest.raises(Unauthorized, match="needs a key: set OPENAI_API_KEY"):
            await ask(backend, asking())
    monkeypatch.setenv("OPENAI_API_KEY", "not\x07a key")
    async with aclosing(open_backend("gpt-4o", {})) as backend:
        with pytest.raises(Unauthorized, match="what OPENAI_API_KEY holds cannot be one"):
            await ask(backend, asking())


def everything(error: BaseException | None) -> str:
    """All that a report of an error could show."""
    told = ""
    while error is not None:
        told += f"{error!r} {error} {vars(error)} {error.__context__!r} {error.__context__}"
        error = error.__cause__ or error.__context__
    return told


ECHO = Raw([f'{{"error": {{"message": "wrong key {KEY} or so"}}}}'.encode()], 400)
BROKEN = [
    ECHO,
    Raw(ECHO.blocks, 401),
    Raw(ECHO.blocks, 500),
    Raw([b"", *ECHO.blocks], 200),
    Raw([f"{KEY}\n".encode()], 200),
    Raw([f'data: {{"error": "{KEY}"}}\n\n'.encode()], 200),
    Raw([b"x"], then="cut"),
    Raw([], 302, {"Location": f"http://else/?key={KEY}"}),
]


@pytest.mark.parametrize("raw", BROKEN, ids=lambda raw: f"{raw.status} {raw.then}")
async def test_the_key_is_in_no_error_and_no_trace(
    raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    async with Server(lambda asked: raw) as server:
        made = compiled(f"""
name: p
models:
  m: {{model: openai/m, retries: 0, options: {{base_url: "{server.url}", key_env: MY_KEY}}}}
steps: {{draft: {{op: generate}}}}
""")
        seen: list[Any] = []
        async with Session(made, listeners=[seen.append], keys=["MY_KEY"]) as session:
            with pytest.raises(RunError) as caught:
                await session.ask("What?")
            shown = f"{seen} {session._models['m'].backend!r} {session._models['m'].key!r}"
    assert KEY not in everything(caught.value)
    assert "Bearer" not in everything(caught.value)
    assert KEY not in shown


async def test_redirects_are_not_followed() -> None:
    raw = Raw([], 307, {"Location": "http://127.0.0.1:9/v1/chat/completions?x=1"})
    async with Server(lambda asked: raw) as server:
        with pytest.raises(BackendError) as caught:
            await ask_once(server, asking())
    assert str(caught.value).endswith("it redirects to http://127.0.0.1:9/v1/chat/completions")


def test_what_is_reserved_for_a_prompt() -> None:
    backend = open_backend("m", {})
    plain = asking(text="Größe")
    assert backend.prompt_tokens(plain) == 7 + 8
    content = (Message("user", ("Größe", Image("data:,"))),)
    shown = Request("m", content, plain.purpose, plain.draws, 64)
    assert backend.prompt_tokens(shown) == 7 + 8 + 4096
    assert backend.prompt_tokens(asking(text="Größe", schema={"type": "object"})) > 7 + 8 + 16


async def test_a_pipeline_of_judges() -> None:
    async with Server() as server:
        made = compiled(f"""
name: p
answer: number
models: {{m: {{model: openai/m, options: {{base_url: "{server.url}"}}}}}}
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


async def test_a_vote_that_is_decided_aborts_the_rest_of_its_request() -> None:
    spent = {"prompt_tokens": 7, "completion_tokens": 1}
    blocks: list[bytes | float] = []
    for index in range(5):
        choice = {"index": index, "delta": {"content": "4"}, "finish_reason": "stop"}
        chunk = json.dumps({"choices": [choice], "usage": spent})
        blocks.append(f"data: {chunk}\n\n".encode())
    raw = Raw(blocks, then="hang")
    async with Server(lambda asked: raw, keep=True) as server:
        made = compiled(f"""
name: p
answer: number
models:
  m: {{model: openai/m, options: {{base_url: "{server.url}", continuous_usage: true}}}}
steps:
  drafts: {{op: generate, n: 8}}
  answer: {{op: vote, stop_at: exact, ahead: 8}}
""")
        async with Session(made) as session:
            result = await session.ask("What?")
            await settled(server, requests=1, aborted=1, under_way=0)
        assert [body["n"] for body in server.bodies] == [8]
    assert (str(result), result.usage.prompt_tokens) == ("4", 7)


async def test_draws_are_scored_by_what_a_server_tells_of_their_tokens() -> None:
    def reply(asked: Asked) -> Raw:
        assert (asked.body["logprobs"], asked.body["top_logprobs"]) == (True, 0)
        seed = int(asked.body["seed"])
        told = [{"token": "4", "logprob": -0.25, "top_logprobs": []}] * (1 + seed % 2)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "4" * len(told)},
            "logprobs": {"content": told},
            "finish_reason": "stop",
        }
        usage = {"prompt_tokens": 3, "completion_tokens": len(told)}
        whole = json.dumps({"choices": [choice], "usage": usage})
        return Raw([whole.encode()], headers={"Content-Type": "application/json"})

    async with Server(reply) as server:
        plan = compiled(f"""\
name: p
answer: number
models:
  m:
    model: openai/m
    options: {{base_url: "{server.url}", logprobs: true, seed: true, stream: false}}
steps:
  drafts: {{op: generate, n: 8, logprobs: true}}
  best: {{op: select, by: logprob, keep: 8}}
output: {{from: best, keep: 8}}
""")
        async with Session(plan) as session:
            result = await session.ask("What is 2 + 2?")
    sums = [candidate.scores["logprob"] for candidate in result.candidates]
    assert sorted(set(sums)) == [-0.5, -0.25]
    assert sums == sorted(sums, reverse=True)
    assert {candidate.scores["logprob_mean"] for candidate in result.candidates} == {-0.25}
    assert [len(candidate.text) for candidate in result.candidates] == [
        round(-total / 0.25) for total in sums
    ]
