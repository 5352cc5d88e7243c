"""The length of vLLM's queue, and what adaptive concurrency makes of it."""

from __future__ import annotations

from contextlib import aclosing

import pytest
from aiohttp import web
from sim import compiled, simulate, steady

from polyarch.backends.base import Draw, Request
from polyarch.backends.openai import open_backend
from polyarch.backends.openai.metrics import waiting_in
from polyarch.backends.scripted import Scripted
from polyarch.compiler.values import Message, Purpose
from polyarch.runtime.limits import Adaptive

TOLD = """\
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 7.0
vllm:num_requests_waiting{engine="1",model_name="m"} 2.0
vllm:num_requests_running{engine="0",model_name="m"} 64.0
"""


@pytest.mark.parametrize(
    ("text", "waiting"),
    [
        (TOLD, 9),
        ("vllm:num_requests_waiting 3.0\n", 3),
        ('polyarch_requests_waiting{model="m"} 4\n', 4),
        ("other 4\n", None),
        ("", None),
    ],
)
def test_metrics_are_read(text: str, waiting: int | None) -> None:
    assert waiting_in(text) == waiting


@pytest.mark.parametrize(("status", "waiting"), [(200, 9), (404, None)])
async def test_the_server_is_asked(status: int, waiting: int | None) -> None:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=TOLD if status == 200 else "no", status=status)

    async def chat(_: web.Request) -> web.Response:
        said = {"message": {"role": "assistant", "content": "4"}, "index": 0}
        return web.json_response({"choices": [{**said, "finish_reason": "stop"}]})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        options = {"base_url": f"http://127.0.0.1:{port}/v1", "metrics": True}
        request = Request("m", (Message("user", "?"),), Purpose("solve", "?"), (Draw(0, 0, 0),), 9)
        async with aclosing(open_backend("m", options)) as backend:
            assert [piece.text async for piece in backend.generate(request)] == ["4"]
            assert await backend.waiting() == waiting
        async with aclosing(open_backend("m", {**options, "metrics": False})) as backend:
            assert await backend.waiting() is None
    finally:
        await runner.cleanup()


def test_slots_are_given_up_for_a_queue_at_most_half() -> None:
    limit = Adaptive(64, start=32)
    limit.queued(0)
    assert limit.slots == 32
    limit.queued(5)
    assert limit.slots == 27
    limit.queued(5)  # within the same round
    assert limit.slots == 27
    for _ in range(27):
        limit.replied(1.0)
    limit.queued(1000)
    assert limit.slots <= 14


class Batching(Scripted):
    """A backend that answers sixteen at once and lets the others wait, without a word about it."""

    async def waiting(self) -> int | None:
        return max(0, self.log.under_way - 16)


def test_a_queue_is_heeded() -> None:
    text = """\
name: p
answer: number
models: {m: {model: scripted/x, concurrency: adaptive, max_draws: 1}}
steps:
  drafts: {op: generate, n: 2000}
  answer: {op: vote}
"""
    told, blind = Batching(steady, latency=1.0), Scripted(steady, latency=1.0)
    for backend in (told, blind):
        simulate(compiled(text), {"m": backend})
    assert 16 <= told.log.most_under_way <= 32 < blind.log.most_under_way
