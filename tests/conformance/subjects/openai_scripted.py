"""The script that shows everything, over HTTP: every form, tools, reasoning, prompts."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from conformance.subject import Opened, Subject
from conformance.subjects.scripted import ENDLESS, reply

from polyarch.backends.openai import info, open_backend
from polyarch.backends.scripted import Scripted
from polyarch.backends.scripted import info as scripted_info
from polyarch.compiler.values import Json
from polyarch.server.app import Limits, app
from polyarch.server.keys import Keys
from polyarch.server.listen import bound
from polyarch.server.metrics import Metrics
from polyarch.server.models.served import ServedModel

__all__ = ["SUBJECTS"]

_NAME = "scripted/x"
_OPTIONS: dict[str, Json] = {
    "n": True,
    "max_draws": 64,
    "seed": True,
    "continuous_usage": True,
    "logprobs": True,
    "prompt_logprobs": True,
    "continuation": True,
    "guided": "vllm",
    "thinking": "thinking_token_budget",
    "purpose": True,
}


@contextmanager
def _serving(backend: Scripted) -> Iterator[str]:
    """The address of a server in a thread."""
    metrics = Metrics()
    model = ServedModel(_NAME, scripted_info("x", {}), backend, metrics)
    made = app(model, Keys(), metrics, Limits(running=999, waiting=9))
    server = uvicorn.Server(uvicorn.Config(made, log_level="error", timeout_graceful_shutdown=1))
    with bound("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join()


@asynccontextmanager
async def _opened() -> AsyncIterator[Opened]:
    scripted = Scripted(reply)
    with _serving(scripted) as url:
        backend = open_backend(_NAME, {**_OPTIONS, "base_url": url})
        yield Opened(backend, busy=lambda: scripted.log.under_way)


SUBJECTS = (
    Subject(
        "openai-scripted",
        _NAME,
        info(_NAME, _OPTIONS),
        _opened,
        endless=ENDLESS,
        endless_draws=64,
        bounded=False,
        streams=False,
        counts_prompt=False,
    ),
)
