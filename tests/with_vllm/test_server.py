"""vLLM's own server through the openai backend: what only a real server can show."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import local_vllm
import pytest
import pytest_asyncio
from local_vllm import Server, asking

from polyarch import Pipeline, Result, loads
from polyarch.backends.base import Piece, Request
from polyarch.backends.embedded.problems import problems
from polyarch.backends.openai import open_backend
from polyarch.compiler.errors import StepFailed, Unreachable
from polyarch.compiler.values import Json
from polyarch.runtime.session import Session

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORIES = [problem.question for problem in problems("demo", 24, seed=4)]
SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"enum": ["right", "wrong"]}},
    "required": ["verdict"],
    "additionalProperties": False,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    with local_vllm.served() as started:
        await started.up()
        yield started


async def ask(server: Server, request: Request, **options: Json) -> list[Piece]:
    given = {"base_url": server.url, "guided": "vllm", "context": local_vllm.CONTEXT, **options}
    async with (
        aclosing(open_backend("abacus", given)) as backend,
        aclosing(backend.generate(request)) as pieces,
    ):
        return [piece async for piece in pieces]


def texts(pieces: list[Piece]) -> list[str]:
    found: dict[int, str] = {}
    for piece in pieces:
        found[piece.draw] = found.get(piece.draw, "") + piece.text
    return [found[index] for index in sorted(found)]


async def idle(server: Server) -> None:
    async with asyncio.timeout(20):
        while await server.metric("num_requests_running"):  # noqa: ASYNC110 -- in another process
            await asyncio.sleep(0.05)


async def test_eight_draws_with_logprobs_in_one_request(server: Server) -> None:
    pieces = await ask(server, asking(STORIES[0], 8, temperature=1.0, logprobs=2), logprobs=True)
    assert len(texts(pieces)) == 8
    assert len(set(texts(pieces))) > 1
    told = [token for piece in pieces for token in piece.logprobs]
    assert len(told) in range(1, sum(p.completion_tokens for p in pieces) + 1)
    assert all(token.logprob <= 0 and len(token.top) == 2 for token in told)


async def test_a_schema_guides_the_reply(server: Server) -> None:
    for text in texts(await ask(server, asking(STORIES[0], 4, temperature=1.0, schema=SCHEMA))):
        assert json.loads(text)["verdict"] in ("right", "wrong")


async def test_a_seed_repeats(server: Server) -> None:
    request = asking(STORIES[1], 4, temperature=1.0)
    first = texts(await ask(server, request, seed=True))
    assert first == texts(await ask(server, request, seed=True))
    assert len(set(first)) > 1


async def test_closing_stops_the_server(server: Server) -> None:
    request = asking(STORIES[0], 16, temperature=1.0, max_tokens=400)
    extra = {"ignore_eos": True}
    given: dict[str, Json] = {"base_url": server.url, "extra": extra}
    async with aclosing(open_backend("abacus", given)) as backend:
        pieces = backend.generate(request)
        async with aclosing(pieces):
            await anext(pieces)
            assert await server.metric("num_requests_running") > 0
        await idle(server)


async def test_the_prefix_cache_is_told(server: Server) -> None:
    long = asking(" ".join(STORIES[:3]))
    await ask(server, long)
    before = await server.metric("prefix_cache_hits_total")
    pieces = await ask(server, long)
    cached = sum(piece.cached_tokens for piece in pieces)
    assert cached > 0
    assert await server.metric("prefix_cache_hits_total") - before == cached


PIPELINE = """
name: batch
answer: number
models:
  m:
    model: openai/abacus
    concurrency: {concurrency}
    retries: 2
    options: {options}
steps:
  drafts: {{op: generate, n: 4, temperature: 0.8, max_tokens: 64}}
  answer: {{op: vote}}
"""


def made(server: Server, concurrency: int | str, **options: Json) -> Pipeline:
    written = json.dumps({"base_url": server.url, **options})
    return loads(PIPELINE.format(options=written, concurrency=concurrency))


async def test_adaptive_concurrency_reads_its_queue(server: Server) -> None:
    plan = made(server, "adaptive", metrics=True).plan
    async with Session(plan) as running:
        results = [result async for result in running.map(STORIES)]
        backend = running._models["m"].backend
        assert await backend.waiting() == 0
    assert len(results) == len(STORIES)
    assert all(result.usage.calls == 4 for result in results)


async def test_a_batch_goes_on_where_its_server_died(server: Server, tmp_path: Path) -> None:
    """More than eight failures in a row end a batch; its journal keeps what had arrived."""
    pipeline = made(server, concurrency=16)
    questions, journal = STORIES * 2, tmp_path / "journal"
    arrived: list[Result] = []

    async def until_it_dies() -> None:
        async for result in pipeline.amap(questions, journal=journal):
            arrived.append(result)
            server.kill()

    with pytest.raises((Unreachable, StepFailed)):
        await until_it_dies()
    await pipeline.aclose()
    server.start()
    await server.up()
    pipeline = made(server, concurrency=16)
    results = [result async for result in pipeline.amap(questions, journal=journal)]
    await pipeline.aclose()
    assert 0 < len(arrived) < len(questions) == len(results)
    texts = [[c.text for c in result.candidates] for result in results]
    assert [[c.text for c in result.candidates] for result in arrived] == texts[: len(arrived)]
    assert all(result.usage.calls == 4 for result in results)
