"""Pipelines behind an endpoint on a real port, in this event loop, on scripted backends.

async with hosting(pipeline(TEXT, scripted)) as host:
    ... host.url, host.hosted, await host.post(...)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from sim import compiled

from polyarch.backends.scripted import Scripted
from polyarch.compiler.spec import Budget
from polyarch.pipeline import Pipeline
from polyarch.server.app import Limits, app
from polyarch.server.keys import Keys
from polyarch.server.life import Life
from polyarch.server.listen import bound
from polyarch.server.metrics import Metrics
from polyarch.server.pipelines.answers import ServedPipelines
from polyarch.server.pipelines.hosted import Hosted

ONE = "name: one\nmodels: {m: scripted/x}\nsteps: {draft: {op: generate}}\n"
"""A pipeline of one draw."""


def pipeline(text: str, backend: Scripted) -> Pipeline:
    """A pipeline of one model, `m`."""
    return Pipeline(compiled(text), backends={"m": backend})


@dataclass(frozen=True)
class Host:
    """Where it is, and what is behind it."""

    url: str
    hosted: Hosted
    life: Life
    metrics: Metrics
    client: httpx.AsyncClient

    async def post(self, path: str = "chat/completions", **body: Any) -> httpx.Response:
        """Ask; a chat of one message unless the body says otherwise."""
        chat = [{"role": "user", "content": "What is 2 + 2?"}]
        asked = {"model": "one", "messages": chat, **body}
        given = {name: value for name, value in asked.items() if value is not ...}
        return await self.client.post(f"{self.url}/{path}", json=given)

    async def chunks(self, **body: Any) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of a streamed chat, as they come; comments as `{"comment": …}`."""
        chat = [{"role": "user", "content": "What is 2 + 2?"}]
        asked = {"model": "one", "messages": chat, "stream": True, **body}
        path = f"{self.url}/chat/completions"
        async with self.client.stream("POST", path, json=asked) as reply:
            assert reply.status_code == 200, await reply.aread()
            async for line in reply.aiter_lines():
                if line.startswith(":"):
                    yield {"comment": json.loads(line[1:] or "null")}
                elif line.startswith("data: {"):
                    yield json.loads(line[6:])


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def hosting(
    *pipelines: Pipeline,
    keys: Keys | None = None,
    limits: Limits | None = None,
    budget: Budget | None = None,
    beside: AbstractAsyncContextManager[object] | None = None,
) -> AsyncGenerator[Host, None]:
    """Serve, and see that nothing is left running at the end."""
    before = asyncio.all_tasks()
    hosted, metrics = Hosted(pipelines), Metrics()
    served = ServedPipelines(hosted, metrics, budget)
    life = Life(served.hurry)
    limits = limits or Limits(64, 64)
    made = app(served, keys or Keys(), metrics, limits, life=life, beside=beside)
    server = _Quiet(uvicorn.Config(made, log_config=None, lifespan="on"))
    with bound("127.0.0.1", 0) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        async with httpx.AsyncClient(timeout=60) as client:
            yield Host(url, hosted, life, metrics, client)
        server.should_exit = True
        await task
    left = asyncio.all_tasks() - before
    assert not left, left
