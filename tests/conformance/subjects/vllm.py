"""vLLM's engine in this process, and its server through the openai backend; on this machine's CPU,
with the weights of the embedded model. Only `make test-vllm` installs vLLM."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import local_vllm
from conformance.subject import Opened, Subject

from polyarch.backends import openai, vllm
from polyarch.compiler.model import Capability
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
}


@asynccontextmanager
async def _engine(**others: Json) -> AsyncIterator[Opened]:
    local_vllm.prepare()
    with local_vllm.checkpoint() as folder:
        backend = vllm.open_backend("abacus", local_vllm.options(folder, **others))
        yield Opened(backend, busy=lambda: local_vllm.working(backend))


@asynccontextmanager
async def _server(**others: Json) -> AsyncIterator[Opened]:
    with local_vllm.served() as server:
        await server.up()
        backend = openai.open_backend("abacus", {"base_url": server.url, **_SERVED, **others})

        async def busy() -> int:
            running = await server.metric("num_requests_running")
            return int(running + await server.metric("num_requests_waiting"))

        yield Opened(backend, busy)


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
            _server,
            exact=False,
            own_seeds=False,
            counts_prompt=False,
            undo=frozenset({Capability.IMAGES}),  # the model reads none
        ),
    )
    if local_vllm.HERE
    else ()
)
