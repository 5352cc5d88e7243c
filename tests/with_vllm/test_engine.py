"""vLLM's engine in this process, where the conformance suite does not look."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from local_vllm import asking, working

from polyarch.backends.base import Backend, Piece, Request
from polyarch.backends.embedded.backend import EmbeddedBackend
from polyarch.backends.embedded.problems import problems
from polyarch.backends.vllm.backend import VLLM
from polyarch.compiler.errors import BadRequest, TooLong
from polyarch.compiler.values import Message

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORIES = [problem.question for problem in problems("demo", 16, seed=3)]
LONG = " ".join(STORIES[:3])


async def ask(backend: Backend, request: Request) -> list[Piece]:
    async with aclosing(backend.generate(request)) as pieces:
        return [piece async for piece in pieces]


def texts(pieces: list[Piece]) -> list[str]:
    found: dict[int, str] = {}
    for piece in pieces:
        found[piece.draw] = found.get(piece.draw, "") + piece.text
    return [found[index] for index in sorted(found)]


async def test_it_says_what_the_embedded_engine_says(backend: VLLM) -> None:
    embedded = EmbeddedBackend()
    try:
        for story in STORIES:
            (ours,) = texts(await ask(embedded, asking(story)))
            (theirs,) = texts(await ask(backend, asking(story)))
            assert theirs == ours
            assert backend.prompt_tokens(asking(story)) == embedded.prompt_tokens(asking(story))
    finally:
        await embedded.aclose()


async def test_eight_draws_are_charged_with_one_prompt(backend: VLLM) -> None:
    pieces = await ask(backend, asking(STORIES[0], 8, temperature=1.0))
    assert len(set(texts(pieces))) > 1
    assert sum(p.prompt_tokens for p in pieces) == backend.prompt_tokens(asking(STORIES[0]))
    assert sorted(p.draw for p in pieces if p.finish) == list(range(5, 13))
    alone = await ask(backend, asking(STORIES[0]))
    assert sum(p.completion_tokens for p in alone) == len(alone)


async def test_a_second_request_finds_its_prefix_in_the_cache(backend: VLLM) -> None:
    first = await ask(backend, asking(LONG))
    again = await ask(backend, asking(LONG))
    cached = sum(p.cached_tokens for p in again)
    assert sum(p.cached_tokens for p in first) == 0
    assert cached > 0
    assert cached % 32 == 0
    running = backend._engine.running
    assert running is not None
    assert running.queue.hits >= cached


async def test_logprobs_hold_the_drawn_token_first_where_it_is_the_likeliest(
    backend: VLLM,
) -> None:
    pieces = await ask(backend, asking(STORIES[1], logprobs=3))
    told = [token for piece in pieces for token in piece.logprobs]
    assert "".join(t.token for t in told).removesuffix("<end>") == texts(pieces)[0]
    for token in told:
        assert token.top[0] == (token.token, token.logprob)
        assert len(token.top) == 3
        assert token.logprob <= 0


async def test_prompt_logprobs_are_of_the_tokens_of_the_prompt(backend: VLLM) -> None:
    request = asking(STORIES[2], 2, prompt_logprobs=0)
    pieces = await ask(backend, request)
    told = [token for piece in pieces for token in piece.prompt_logprobs]
    assert len(told) == backend.prompt_tokens(request) - 1
    assert "".join(t.token for t in told) == f" {STORIES[2]}<reply>"
    assert all(not token.top for token in told)


async def test_closing_takes_the_draws_out_of_the_batch(backend: VLLM) -> None:
    request = asking(STORIES[0], 32, temperature=1.0, max_tokens=400, regex="[0-9]{390}")
    pieces = backend.generate(request)
    async with aclosing(pieces):
        async for _ in pieces:
            if await working(backend) >= 32:
                break
    assert await working(backend) == 0
    assert await backend.waiting() == 0


async def test_cancelling_takes_the_draws_out_of_the_batch(backend: VLLM) -> None:
    request = asking(STORIES[0], 32, max_tokens=400, regex="[0-9]{390}")
    task = asyncio.create_task(ask(backend, request))
    async with asyncio.timeout(30):
        while await working(backend) < 32:  # noqa: ASYNC110 -- in another process
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await working(backend) == 0


async def test_a_prompt_that_fills_the_context_is_too_long(backend: VLLM) -> None:
    with pytest.raises(TooLong):
        await ask(backend, asking("z" * 600))
    just = "z" * (512 - backend.prompt_tokens(asking("")))
    assert backend.prompt_tokens(asking(just)) == 512
    with pytest.raises(TooLong, match="512 tokens of prompt and reply together"):
        await ask(backend, asking(just))
    (piece, *_) = await ask(backend, asking(just[1:]))
    assert (piece.prompt_tokens, piece.completion_tokens, piece.finish) == (511, 1, "length")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"regex": "(["}, "refuses the request"),
        ({"grammar": "root ::= ("}, "refuses the request"),
        ({"logprobs": 500}, "refuses the request"),
        ({"messages": (Message("system", "Hi"),)}, "abacus has no system messages"),
    ],
)
async def test_what_vllm_refuses_is_told_in_one_line(
    backend: VLLM, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadRequest, match=told) as caught:
        await ask(backend, asking("Why?", **fields))
    assert "\n" not in str(caught.value)
