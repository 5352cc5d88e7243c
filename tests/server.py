"""A small OpenAI-compatible server with scripted replies, for tests and benchmarks.

In the test's own loop:

    async with Server(lambda asked: "4", latency=0.1) as server:
        ... server.url, server.count()

In a process of its own, with the replies of `answers`:

    python tests/server.py --port 0 --latency 0.1 --faults 0.3

which prints its port; `serving(...)` starts one and stops it. It speaks /v1/chat/completions and
/v1/completions, streamed and whole; with `Raw` replies also /v1/embeddings and /pooling. It tells
over HTTP what it saw: /count and /log.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from typing import Any, Self, TypeAlias
from urllib.request import urlopen

from aiohttp import web

BAD = "[bad]"
"""A prompt with this in it is answered 400, always."""

FAULTS = ("429", "429 after", "500", "hang", "disconnect", "json", "empty", "truncated")
"""What can go wrong with a request of a faulty server."""


@dataclass(frozen=True)
class Asked:
    """One completion that is asked for."""

    prompt: str
    index: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Raw:
    """A response written by hand: blocks of bytes, between them seconds to wait; then the end, the
    connection cut off, or nothing for ever."""

    blocks: Sequence[bytes | float] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": EVENTS})
    then: str = "end"
    """end, cut or hang."""


EVENTS = "text/event-stream"
Reply: TypeAlias = "Callable[[Asked], str | Raw]"


def answers(asked: Asked) -> str:
    """A reply to anything, from the prompt, the seed and the index alone."""
    dice = Random(f"{asked.prompt} {asked.body.get('seed')} {asked.index}")
    properties = _schema(asked.body).get("properties", {})
    if "ranking" in properties:
        order = list(range(1, len(re.findall(r"^### Candidate \d", asked.prompt, re.M)) + 1))
        dice.shuffle(order)
        return json.dumps({"ranking": order})
    if "verdict" in properties:
        return json.dumps({"reason": "so", "verdict": dice.choice(["right", "wrong"])})
    if "critique" in properties:
        return json.dumps({"critique": f"look again at {dice.randrange(100)}"})
    return f"let me think: it is {dice.randrange(5)} for sure"


def _schema(body: Mapping[str, Any]) -> dict[str, Any]:
    form = body.get("response_format", {}).get("json_schema", {}).get("schema")
    schema: dict[str, Any] = form or body.get("structured_outputs", {}).get("json") or {}
    return schema


@dataclass
class Row:
    """What became of one request; times are of `time.monotonic`, which all processes share."""

    digest: str
    started: float
    ended: float | None = None
    status: int = 0
    aborted: bool = False


class Server:
    """Scripted replies over real sockets. An async context manager."""

    def __init__(
        self,
        reply: Reply = answers,
        *,
        latency: float = 0.0,
        pace: float = 0.0,
        faults: float = 0.0,
        seed: int = 0,
        keep: bool = False,
    ) -> None:
        """`latency` is seconds to the first byte, `pace` between tokens (words). A share `faults`
        of the requests fails, each in one of the ways of `FAULTS`, decided by `seed`, the body and
        how often it came. `keep` remembers bodies, headers, paths."""
        self.rows: list[Row] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.paths: list[str] = []
        self.url = ""
        self._reply = reply
        self._latency = latency
        self._pace = pace
        self._faults = faults
        self._seed = seed
        self._keep = keep
        self._tries: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._refused: set[str] = set()
        self._peers: set[object] = set()
        self._after_400 = 0
        self._under_way = 0
        self._most = 0
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> int:
        """Listen on loopback; the port."""
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_post("/v1/completions", self._answer)
        app.router.add_post("/v1/embeddings", self._answer)
        app.router.add_post("/pooling", self._answer)
        app.router.add_get("/count", self._tell_count)
        app.router.add_get("/log", self._tell_log)
        # A handler is cancelled when its client goes: that is what an engine's abort is here.
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, backlog=4096)
        await site.start()
        bound: int = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{bound}/v1"
        return bound

    async def aclose(self) -> None:
        """Stop, whatever is under way."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def count(self) -> dict[str, Any]:
        """What was seen so far."""
        return {
            "requests": len(self.rows),
            "by_status": dict(Counter(str(row.status) for row in self.rows if row.ended)),
            "distinct": len({row.digest for row in self.rows}),
            "aborted": sum(row.aborted for row in self.rows),
            "after_400": self._after_400,
            "faults": dict(self._failed),
            "under_way": self._under_way,
            "most": self._most,
            "connections": len(self._peers),
        }

    async def _tell_count(self, _: web.Request) -> web.Response:
        return web.json_response(self.count())

    async def _tell_log(self, _: web.Request) -> web.Response:
        return web.json_response([vars(row) for row in self.rows])

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        row = Row(blake2b(raw, digest_size=8).hexdigest(), time.monotonic())
        self.rows.append(row)
        if request.transport is not None:
            self._peers.add(request.transport.get_extra_info("peername"))
        self._tries[row.digest] += 1
        self._after_400 += row.digest in self._refused
        self._under_way += 1
        self._most = max(self._most, self._under_way)
        try:
            return await self._respond(request, json.loads(raw), row)
        except (asyncio.CancelledError, ConnectionResetError):
            row.aborted = True
            raise
        finally:
            row.ended = time.monotonic()
            self._under_way -= 1

    async def _respond(
        self, request: web.Request, body: dict[str, Any], row: Row
    ) -> web.StreamResponse:
        if self._keep:
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
            self.paths.append(request.path)
        prompt = _prompt(body)
        if BAD in prompt:
            row.status = 400
            self._refused.add(row.digest)
            told = {"error": {"message": "no such thing", "type": "invalid_request_error"}}
            return web.json_response(told, status=400)
        if self._latency:
            await asyncio.sleep(self._latency)
        asked = [Asked(prompt, i, body, request.headers) for i in range(body.get("n") or 1)]
        replies = [self._reply(one) for one in asked]
        written = next((reply for reply in replies if isinstance(reply, Raw)), None)
        if written is None:
            texts = [reply for reply in replies if isinstance(reply, str)]
            written = self._faulty(row, _written(body, texts, self._pace))
        row.status = written.status
        return await _write(request, written)

    def _faulty(self, row: Row, sound: Raw) -> Raw:
        """The response, or what becomes of it in this try."""
        dice = Random(f"{self._seed} {row.digest} {self._tries[row.digest]}")
        if dice.random() >= self._faults:
            return sound
        kind = dice.choice(FAULTS)
        self._failed[kind] += 1
        told = json.dumps({"error": {"message": f"fault: {kind}"}}).encode()
        whole = b"".join(block for block in sound.blocks if isinstance(block, bytes))
        match kind:
            case "429":
                return Raw([told], 429)
            case "429 after":
                return Raw([told], 429, {"Retry-After": "0.02"})
            case "500":
                return Raw([told], 500)
            case "hang":
                return Raw([], then="hang")
            case "disconnect":
                return Raw([whole[: len(whole) // 2]], 200, sound.headers, "cut")
            case "json":
                return Raw([whole.replace(b'"choices":', b'"choices"', 1)], 200, sound.headers)
            case "empty":
                return Raw([], 200, sound.headers)
        return Raw([whole[: len(whole) // 2]], 200, sound.headers)


def _prompt(body: Mapping[str, Any]) -> str:
    if "prompt" in body or "input" in body:
        return str(body.get("prompt") or body.get("input"))
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _written(body: Mapping[str, Any], texts: Sequence[str], pace: float) -> Raw:
    """The replies as the API writes them, whole or streamed."""
    most = body.get("max_tokens") or body.get("max_completion_tokens") or 1 << 20
    words = [re.findall(r"\s*\S+", text)[:most] or [""] for text in texts]
    ends = ["length" if len(re.findall(r"\S+", text)) > most else "stop" for text in texts]
    prompt = len(_prompt(body).split())
    completion = sum(map(len, words))
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
    head = {"id": "x", "created": 0, "model": body.get("model", "")}
    chat = "messages" in body
    if not body.get("stream"):
        kind = "chat.completion" if chat else "text_completion"
        choices = [
            {"index": i, "finish_reason": end, **_said(chat, "message", "".join(said))}
            for i, (said, end) in enumerate(zip(words, ends, strict=True))
        ]
        told = {**head, "object": kind, "choices": choices, "usage": usage}
        return Raw([json.dumps(told).encode()], headers={"Content-Type": "application/json"})
    kind = "chat.completion.chunk" if chat else "text_completion"
    chunks: list[Mapping[str, Any]] = []
    for place in range(max(map(len, words))):
        for i, said in enumerate(words):
            if place < len(said):
                end = ends[i] if place == len(said) - 1 else None
                choice = {"index": i, "finish_reason": end, **_said(chat, "delta", said[place])}
                chunks.append({**head, "object": kind, "choices": [choice]})
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "object": kind, "choices": [], "usage": usage})
    events = [b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks]
    events.append(b"data: [DONE]\n\n")
    if not pace:
        return Raw([b"".join(events)])
    return Raw([part for event in events for part in (event, pace)])


def _said(chat: bool, name: str, text: str) -> dict[str, Any]:
    return {name: {"role": "assistant", "content": text}} if chat else {"text": text}


async def _write(request: web.Request, raw: Raw) -> web.StreamResponse:
    if raw.then == "end" and all(isinstance(block, bytes) for block in raw.blocks):
        whole = b"".join(block for block in raw.blocks if isinstance(block, bytes))
        return web.Response(status=raw.status, headers=raw.headers, body=whole)
    response = web.StreamResponse(status=raw.status, headers=raw.headers)
    await response.prepare(request)
    for block in raw.blocks:
        if isinstance(block, bytes):
            await response.write(block)
        else:
            await asyncio.sleep(block)
    if raw.then == "hang":
        await asyncio.sleep(3600)
    if raw.then == "cut" and request.transport is not None:
        # Not `abort`: the other side reads what was written before.
        request.transport.close()
    else:
        await response.write_eof()
    return response


@dataclass(frozen=True)
class Remote:
    """A server in a process of its own."""

    url: str

    def count(self) -> dict[str, Any]:
        """What it saw so far."""
        counted: dict[str, Any] = self._get("count")
        return counted

    def log(self) -> list[Row]:
        """Every request it saw, in the order they came."""
        return [Row(**row) for row in self._get("log")]

    def _get(self, name: str) -> Any:
        with urlopen(f"{self.url.removesuffix('/v1')}/{name}", timeout=30) as told:
            return json.load(told)


@contextmanager
def serving(*arguments: str) -> Iterator[Remote]:
    """A server in a process of its own, until the end of the block."""
    command = [sys.executable, __file__, "--leash", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Remote(f"http://127.0.0.1:{int(process.stdout.readline())}/v1")
        finally:
            process.kill()


async def _serve(options: argparse.Namespace) -> None:
    server = Server(
        latency=options.latency, pace=options.pace, faults=options.faults, seed=options.seed
    )
    over = asyncio.Event()
    if options.leash:
        loop = asyncio.get_running_loop()

        def wait() -> None:
            sys.stdin.read()
            loop.call_soon_threadsafe(over.set)

        threading.Thread(target=wait, daemon=True).start()
    print(await server.start(options.port), flush=True)
    try:
        await over.wait()
    finally:
        await server.aclose()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds to the first byte")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds between tokens")
    parser.add_argument("--faults", type=float, default=0.0, help="share of requests that fail")
    parser.add_argument("--seed", type=int, default=0, help="decides which fail, and how")
    parser.add_argument("--leash", action="store_true", help="end with standard input")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
