"""vLLM's engine in this process, and its server through the openai and litellm backends; on this
machine's CPU, with the weights of the embedded model. Only `make test-vllm` installs vLLM."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, aclosing, asynccontextmanager

import local_vllm
from conformance.subject import Opened, Subject

from polyarch.backends import litellm, openai, vllm
from polyarch.backends.base import Backend
from polyarch.compiler.values import Json

__all__ = ["SUBJECTS"]

_SERVED: dict[str, Json] = {
    "context": local_vllm.CONTEXT,
    "logprobs": True,
    "guided": "vllm",
    "continuation": True,
    "metrics": True,
    "continuous_usage": True,
    "extra": {"add_special_tokens": False},
    "tools": False,
    "images": False,
}


@asynccontextmanager
async def _engine(**others: Json) -> AsyncIterator[Opened]:
    local_vllm.prepare()
    with local_vllm.checkpoint() as folder:
        backend = vllm.open_backend("abacus", local_vllm.options(folder, **others))
        # The engine's own tasks come with the first request and stay.
        async with aclosing(backend.generate(local_vllm.asking("Why?", max_tokens=1))) as pieces:
            assert [piece async for piece in pieces]
        yield Opened(backend, busy=lambda: local_vllm.working(backend))


_THROUGH_LITELLM: dict[str, Json] = {
    "context": local_vllm.CONTEXT,
    "n": True,
    "seed": True,
    "logprobs": True,
    "continuation": True,
    "guided": True,
    "tools": False,
    "images": False,
    "extra": {"extra_body": {"add_special_tokens": False}},
}


class _Shared:
    """One server for all who ask it, as long as one of them is open."""

    def __init__(self) -> None:
        self._users = 0
        self._stack = ExitStack()
        self._server: local_vllm.Server | None = None

    @asynccontextmanager
    async def used(self) -> AsyncIterator[local_vllm.Server]:
        if self._server is None:
            self._server = self._stack.enter_context(local_vllm.served())
            await self._server.up()
        self._users += 1
        try:
            yield self._server
        finally:
            self._users -= 1
            if not self._users:
                self._server = None
                self._stack.close()


_SHARED = _Shared()


@asynccontextmanager
async def _server(made: Callable[[str], Backend]) -> AsyncIterator[Opened]:
    async with _SHARED.used() as server:

        async def busy() -> int:
            running = await server.metric("num_requests_running")
            return int(running + await server.metric("num_requests_waiting"))

        yield Opened(made(server.url), busy)


def _openai(url: str) -> Backend:
    return openai.open_backend("abacus", {"base_url": url, **_SERVED})


def _litellm(url: str) -> Backend:
    return litellm.open_backend("hosted_vllm/abacus", {"api_base": url, **_THROUGH_LITELLM})


_INFO = {"max_model_len": local_vllm.CONTEXT}

# Batches change the last bits of what vLLM computes, so equal seeds may part ways under load.
SUBJECTS = (
    (
        Subject("vllm", "abacus", vllm.info("abacus", _INFO), _engine, exact=False),
        Subject(
            "vllm-seeded",
            "abacus",
            vllm.info("abacus", {**_INFO, "seed": True}),
            lambda: _engine(seed=True),
            exact=False,
        ),
        Subject(
            "vllm-server",
            "abacus",
            openai.info("abacus", _SERVED),
            lambda: _server(_openai),
            exact=False,
            own_seeds=False,
            counts_prompt=False,
        ),
        Subject(
            "vllm-server-litellm",
            "hosted_vllm/abacus",
            litellm.info("hosted_vllm/abacus", _THROUGH_LITELLM),
            lambda: _server(_litellm),
            # Several draws of one request come whole.
            endless_draws=64,
            exact=False,
            own_seeds=False,
            streams=False,
            counts_draws=False,
        ),
    )
    if local_vllm.HERE
    else ()
)
