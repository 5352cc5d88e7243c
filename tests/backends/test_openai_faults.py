"""Every way in which a server can fail, and the error that it becomes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from server import EVENTS, Raw, Server

from polyarch.backends.base import Draw, Piece, Request
from polyarch.backends.openai import open_backend
from polyarch.backends.openai.faults import KINDS, WORDS, Faults, retry_after
from polyarch.compiler.errors import (
    BackendError,
    BadRequest,
    NoSuchModel,
    RateLimited,
    ServerFailed,
    TimedOut,
    TooLong,
    Unauthorized,
    Unreachable,
)
from polyarch.compiler.values import Json, Message, Purpose

JSON = {"Content-Type": "application/json"}


def refused(status: int, message: str = "no", code: str | None = None) -> Raw:
    told = {"error": {"message": message, "code": code}}
    return Raw([json.dumps(told).encode()], status, JSON)


CHUNK = b'data: {"choices": [{"index": 0, "delta": {"content": "half of it"}}]}\n\n'

ANSWERED: list[tuple[Raw, type[BackendError], str]] = [
    (refused(400, "temperature is too high"), BadRequest, "answered 400: temperature is too high"),
    (refused(422), BadRequest, "answered 422: no"),
    (refused(405), BadRequest, "answered 405"),
    (refused(400, "This model's maximum context length is 4096 tokens"), TooLong, "4096 tokens"),
    (refused(400, "The decoder prompt (length 600) is longer than the maximum"), TooLong, "600"),
    (refused(400, "the request exceeds the available context size"), TooLong, "context size"),
    (refused(400, "x", "context_length_exceeded"), TooLong, "answered 400: x"),
    (refused(413, "prompt too long"), TooLong, "answered 413"),
    (refused(413, "body too large"), BadRequest, "answered 413: body too large"),
    (refused(401, "wrong"), Unauthorized, "refuses a request without a key"),
    (refused(403, "wrong"), Unauthorized, "(403)"),
    (refused(404, "The model `m` does not exist"), NoSuchModel, "The model `m` does not exist"),
    (refused(408), TimedOut, "answered 408"),
    (refused(409), ServerFailed, "answered 409"),
    (refused(429, "slow down"), RateLimited, "answered 429: slow down"),
    (refused(500), ServerFailed, "answered 500"),
    (refused(503, "loading"), ServerFailed, "answered 503: loading"),
    (refused(529), ServerFailed, "answered 529"),
    (Raw([], 500), ServerFailed, "answered 500: without a word"),
    (Raw([b"<html>Bad\n\ngateway</html>"], 502), ServerFailed, "502: <html>Bad gateway</html>"),
    (Raw([b'{"detail": "Not Found"}'], 404), NoSuchModel, "answered 404: Not Found"),
    (Raw([b'{"message": "old vLLM", "code": 400}'], 400), BadRequest, "400: old vLLM"),
    (Raw([b'["x"]'], 400), BadRequest, 'answered 400: ["x"]'),
    (Raw([b"x" * 200_000], 500), ServerFailed, "x…"),
    (Raw([], 200), ServerFailed, "gave an empty reply"),
    (Raw([], 200, JSON), ServerFailed, "gave an empty reply"),
    (Raw([b"{nonsense"], 200, JSON), ServerFailed, "sent what cannot be read"),
    (Raw([b"<html>\n"], 200, {"Content-Type": "text/html"}), ServerFailed, "is no event"),
    (Raw([b"data: {nonsense\n\n"]), ServerFailed, "sent what cannot be read"),
    (Raw([CHUNK]), ServerFailed, "ended before the reply did"),
    (Raw([CHUNK, b"data: [DONE]\n\n"]), ServerFailed, "ended before the reply did"),
    (Raw([CHUNK[:-20]]), ServerFailed, "sent what cannot be read"),
    (Raw([CHUNK], then="cut"), Unreachable, "broke the connection"),
    (Raw([], then="cut"), Unreachable, "broke the connection"),
    (Raw([b'data: {"error": {"message": "x", "code": 429}}\n\n']), RateLimited, "answered 429: x"),
    (Raw([CHUNK, b'data: {"error": {"message": "x"}}\n\n']), ServerFailed, "answered 500: x"),
]


async def ask(url: str, told: list[Piece] | None = None, **options: Json) -> list[Piece]:
    told = [] if told is None else told
    request = Request(
        "m", (Message("user", "What?"),), Purpose("solve", "What?"), (Draw(0, 0, 0),), 64
    )
    async with (
        aclosing(open_backend("m", {"base_url": url, **options})) as backend,
        aclosing(backend.generate(request)) as pieces,
    ):
        async for piece in pieces:
            told.append(piece)
    return told


@pytest.mark.parametrize(("raw", "kind", "told"), ANSWERED)
async def test_what_a_server_answers(raw: Raw, kind: type[BackendError], told: str) -> None:
    async with Server(lambda asked: raw) as server:
        with pytest.raises(BackendError) as caught:
            await ask(server.url)
    message = str(caught.value)
    assert type(caught.value) is kind
    assert told in message
    assert message.startswith(f"openai/m at {server.url} ")
    assert "\n" not in message
    assert len(message) < 400


async def test_what_came_before_a_failure_is_told() -> None:
    raw = Raw([CHUNK + b'data: {"error": {"message": "x"}}\n\n'])
    told: list[Piece] = []
    async with Server(lambda asked: raw) as server:
        with pytest.raises(ServerFailed):
            await ask(server.url, told)
    assert [(piece.text, piece.completion_tokens) for piece in told] == [("half of it", 1)]


def test_the_table_is_proved_whole() -> None:
    """Every status and word of the tables has a case here or in the tests of reading."""
    faults = Faults("m", None)
    assert KINDS.keys() <= {raw.status for raw, _, _ in ANSWERED}
    for word, status in WORDS.items():
        kind = type(faults.told({"message": "x", "type": word.upper()}))
        expected = TooLong if status == 413 else KINDS[status]
        # As a `type` it is no proof of length; as a `code` it is.
        assert kind is expected or type(faults.told({"message": "x", "code": word})) is expected


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"retry-after-ms": "x", "Retry-After": "2"}, 2.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 -0000"}, 0.0),
    ],
)
async def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
    async with Server(lambda asked: Raw([], 429, headers)) as server:
        with pytest.raises(RateLimited) as caught:
            await ask(server.url)
    assert caught.value.retry_after == seconds


def test_retry_after_a_date() -> None:
    at = datetime.now(UTC) + timedelta(seconds=90)
    seconds = retry_after({"Retry-After": format_datetime(at, usegmt=True)})
    assert seconds is not None
    assert 80 < seconds <= 90


async def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="cannot be reached: connection refused"):
        await ask(f"http://127.0.0.1:{port}/v1")


async def test_no_such_host() -> None:
    with pytest.raises(Unreachable, match=r"http://nowhere\.invalid/v1 cannot be reached: no such"):
        await ask("http://nowhere.invalid/v1")


async def test_no_tls() -> None:
    async with Server() as server:
        with pytest.raises(Unreachable, match="its certificate or TLS is refused"):
            await ask(server.url.replace("http:", "https:"))


@asynccontextmanager
async def saying(answer: bytes | None) -> AsyncIterator[str]:
    """A server that says these bytes to anything, and hangs up; with None it hangs up at once."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is not None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: " + EVENTS.encode() + b"\r\n"


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (None, Unreachable, "broke the connection"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", ServerFailed, "spoke no HTTP"),
        (HEAD + b"Content-Length: 900\r\n\r\n" + CHUNK, Unreachable, "broke the connection"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata", Unreachable, "broke the"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", ServerFailed, "spoke no HTTP"),
    ],
)
async def test_broken_http(answer: bytes | None, kind: type[BackendError], told: str) -> None:
    async with saying(answer) as url:
        with pytest.raises(BackendError, match=told) as caught:
            await ask(url)
    assert type(caught.value) is kind


async def test_no_connection_in_time() -> None:
    # A full backlog: the kernel lets further connections wait.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            waiting.append(one)
        with pytest.raises(TimedOut, match="took no connection in time"):
            await ask(f"http://127.0.0.1:{port}/v1", timeout_connect=0.1)
        for one in waiting:
            one.close()


@pytest.mark.parametrize("blocks", [[], [CHUNK]], ids=["at all", "in the middle"])
async def test_nothing_is_said(blocks: list[bytes | float]) -> None:
    raw = Raw([*blocks, 30.0])
    async with Server(lambda asked: raw) as server:
        with pytest.raises(TimedOut, match="said nothing for too long"):
            await ask(server.url, timeout_read=0.1)


async def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    async with saying(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n") as proxy:
        monkeypatch.setenv("https_proxy", proxy.removesuffix("/v1"))
        with pytest.raises(Unreachable, match="cannot be reached: a proxy answers 407"):
            await ask("https://nowhere.invalid/v1")


async def test_a_proxy_is_used_where_it_is_meant_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with Server() as server:
        assert [piece.finish for piece in await ask(server.url)] == ["stop"]
    with pytest.raises(Unreachable, match="connection refused"):
        await ask("http://nowhere.invalid/v1")
    monkeypatch.setenv("no_proxy", "nowhere.invalid")
    with pytest.raises(Unreachable, match="no such host"):
        await ask("http://nowhere.invalid/v1")
