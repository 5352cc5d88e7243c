"""What the openai backend costs over real sockets, beside other clients, in one run.

    python benchmarks/server.py [--repeat 5] [--calls 2000] [--json] [--kills] [--clients]

The server is a process of its own (tests/server.py). Parts:

    clients    CPU of the client per chat completion, at 1, 64 and 256 in flight, from a server that
               answers at once with eight tokens; the least over repeats, the clients taking turns.
               Streamed: a chunk a token, usage and [DONE], as polyarch asks by default. Whole: one
               JSON body. httpx, the openai SDK and litellm are measured where they are installed;
               the last column is the CPU at 256 beside polyarch's of the same kind, as a ratio.
    pipelines  10 samples, a listwise ranker, a fuser, at 100 ms a request: one question (critical
               path 0.3 s), and 50 at once (600 requests); the median over repeats.
    kills      only if asked for: a batch of 500 questions, killed 30 times on the way, then
               finished (tests/cli/test_kills.py); a minute or more.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import aiohttp
from server import serving

from polyarch.backends.base import Draw, Request
from polyarch.backends.openai import open_backend
from polyarch.compiler.build import build
from polyarch.compiler.plan import Plan, plan
from polyarch.compiler.source import parse
from polyarch.compiler.values import Message, Purpose
from polyarch.runtime.session import Session

KILLS = Path(__file__).parent.parent / "tests" / "cli" / "test_kills.py"
PROMPT = "What is 2 + 2?"
AT_ONCE = (1, 64, 256)
Call = Callable[[], Awaitable[object]]


def body(*, stream: bool) -> dict[str, Any]:
    """What all clients ask."""
    asked: dict[str, Any] = {
        "model": "m",
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": 64,
        "temperature": 1.0,
    }
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return asked


@asynccontextmanager
async def ours(url: str, *, stream: bool) -> AsyncIterator[Call]:
    """polyarch's backend."""
    backend = open_backend("m", {"base_url": url, "stream": stream})
    draws = (Draw(0, 0, 1),)
    request = Request("m", (Message("user", PROMPT),), Purpose("solve", PROMPT), draws, 64)

    async def call() -> object:
        return [piece async for piece in backend.generate(request)]

    try:
        yield call
    finally:
        await backend.aclose()


@asynccontextmanager
async def raw(url: str, *, stream: bool) -> AsyncIterator[Call]:
    """aiohttp and json by hand, without any care for errors."""
    asked = body(stream=stream)

    async def call() -> object:
        async with client.post(f"{url}/chat/completions", json=asked) as response:
            if not stream:
                return (await response.json())["choices"][0]["message"]["content"]
            said = ""
            async for line in response.content:
                if line.startswith(b"data: {"):
                    for choice in json.loads(line[6:])["choices"]:
                        said += choice["delta"]["content"]
            return said

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        yield call


@asynccontextmanager
async def over_httpx(url: str) -> AsyncIterator[Call]:
    """httpx, whole replies."""
    import httpx

    asked = body(stream=False)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)

    async def call() -> object:
        reply = await client.post(f"{url}/chat/completions", json=asked)
        return reply.json()["choices"][0]["message"]["content"]

    async with httpx.AsyncClient(limits=limits, timeout=600) as client:
        yield call


@asynccontextmanager
async def over_sdk(url: str, *, stream: bool) -> AsyncIterator[Call]:
    """The openai SDK."""
    import openai

    asked = body(stream=stream)

    async def call() -> object:
        reply = await client.chat.completions.create(**asked)
        if not stream:
            return reply.choices[0].message.content
        return [chunk async for chunk in reply]

    # A busy machine must not end the comparison.
    told = {"base_url": url, "api_key": "none", "max_retries": 0, "timeout": 600.0}
    async with openai.AsyncOpenAI(**told) as client:
        yield call


@asynccontextmanager
async def over_litellm(url: str, *, stream: bool) -> AsyncIterator[Call]:
    """litellm."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    asked = {**body(stream=stream), "model": "openai/m", "api_base": url, "api_key": "none"}

    async def call() -> object:
        reply = await litellm.acompletion(**asked, num_retries=0, timeout=600)
        if not stream:
            return reply.choices[0].message.content
        return [chunk async for chunk in reply]

    yield call


def clients(url: str) -> Mapping[str, Any]:
    """Every client that is installed, by name."""
    found = {
        "polyarch, streamed": ours(url, stream=True),
        "polyarch, whole": ours(url, stream=False),
        "aiohttp, streamed": raw(url, stream=True),
        "aiohttp, whole": raw(url, stream=False),
    }
    if importlib.util.find_spec("httpx"):
        found["httpx, whole"] = over_httpx(url)
    if importlib.util.find_spec("openai"):
        found["openai SDK, streamed"] = over_sdk(url, stream=True)
        found["openai SDK, whole"] = over_sdk(url, stream=False)
    if importlib.util.find_spec("litellm"):
        found["litellm, streamed"] = over_litellm(url, stream=True)
        found["litellm, whole"] = over_litellm(url, stream=False)
    return found


async def cost(call: Call, calls: int, at_once: int) -> tuple[float, float]:
    """CPU and wall seconds of a call, with so many in flight."""
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await call()

    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*[work() for _ in range(at_once)])
    return (time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls


async def compare(calls: int, repeat: int) -> list[dict[str, object]]:
    """The least CPU of each client at each number in flight."""
    least: dict[tuple[str, int], tuple[float, float]] = {}
    with serving() as server:
        async with AsyncExitStack() as stack:
            found = {
                name: await stack.enter_async_context(client)
                for name, client in clients(server.url).items()
            }
            for call in found.values():
                await cost(call, AT_ONCE[-1], AT_ONCE[-1])
            gc.collect()
            gc.freeze()
            for _ in range(repeat):
                for at_once in AT_ONCE:
                    for name, call in found.items():
                        few = calls // 4 if at_once == 1 else calls
                        taken = await cost(call, few, at_once)
                        least[name, at_once] = min(taken, least.get((name, at_once), taken))
    return [
        {
            "client": name,
            **{f"us at {n}": least[name, n][0] * 1e6 for n in AT_ONCE},
            f"requests a second at {AT_ONCE[-1]}": 1 / least[name, AT_ONCE[-1]][1],
            "times polyarch": _ratio(name, least),
        }
        for name in found
    ]


def _ratio(name: str, least: Mapping[tuple[str, int], tuple[float, float]]) -> float:
    """CPU at the most in flight, beside polyarch's for the same kind of reply."""
    ours = f"polyarch, {name.rsplit(', ', 1)[1]}"
    return least[name, AT_ONCE[-1]][0] / least[ours, AT_ONCE[-1]][0]


def table(rows: list[dict[str, object]]) -> str:
    """Rows of equal columns, aligned."""
    cells = [list(rows[0])]
    cells += [[f"{v:,.2f}" if isinstance(v, float) else str(v) for v in r.values()] for r in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )


def pipeline(url: str) -> Plan:
    """10 samples, a ranker, a fuser: 12 requests a question."""
    text = f"""
name: bench
models: {{m: {{model: openai/m, max_draws: 1, concurrency: 1000, options: {{base_url: "{url}"}}}}}}
steps:
  drafts: {{op: generate, n: 10}}
  best: {{op: rank, method: listwise, orders: 1, keep: 5}}
  fused: {{op: fuse}}
"""
    return plan(build(parse(text), Path()))


async def pipelines(repeat: int) -> list[dict[str, object]]:
    """Wall and CPU of one question, and of 50."""
    rows: list[dict[str, object]] = []
    with serving("--latency", "0.1") as server:
        made = pipeline(server.url)
        for questions in (1, 50):
            walls, cpus = [], []
            for number in range(repeat + 1):
                before = server.count()["requests"]
                async with Session(made) as session:
                    gc.collect()
                    wall, cpu = time.perf_counter(), time.process_time()
                    async with asyncio.TaskGroup() as group:
                        for asked in range(questions):
                            group.create_task(session.ask(f"{PROMPT} ({asked})", id=str(asked)))
                    if number:  # the first is a warm-up
                        walls.append(time.perf_counter() - wall)
                        cpus.append(time.process_time() - cpu)
                requests = server.count()["requests"] - before
            rows.append(
                {
                    "questions": questions,
                    "requests": requests,
                    "wall, s": statistics.median(walls),
                    "best wall, s": min(walls),
                    "target, s": {1: 0.33, 50: 1.0}[questions],
                    "cpu a request, us": statistics.median(cpus) / requests * 1e6,
                }
            )
    return rows


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--kills", action="store_true", help="kill a batch 30 times as well")
    parser.add_argument("--clients", action="store_true", help="compare the clients alone")
    arguments = parser.parse_args()
    parts = [asyncio.run(compare(arguments.calls, arguments.repeat))]
    if not arguments.clients:
        parts.append(asyncio.run(pipelines(arguments.repeat)))
    for rows in parts:
        told = "\n".join(map(json.dumps, rows)) if arguments.json else table(rows)
        print(told, flush=True)
    if arguments.kills:
        sys.stdout.flush()
        subprocess.run([sys.executable, str(KILLS)], check=True)


if __name__ == "__main__":
    main()
