"""What serving a pipeline costs, beside calling it in process, and how it bears many clients.

    python benchmarks/serving.py [--clients 200] [--seconds 60] [--json]

The pipeline has three drafts and a fused answer, on a scripted model; the server is
`polyarch serve` in a process of its own, and its clients share this one. Parts:

    crowd      so many clients stream answers for so many seconds, each asking again at once; the
               model takes 20 ms a request. Errors, answers a second, resident memory of the server
               (once the first quarter is over: least, most, and growth a minute by least squares)
               and its tasks before and after.
    beside     the same pipeline, as many questions at once, called in process for a sixth of the
               time: answers a second, and the ratio of the crowd's to that.
    added      one question at a time, a model that answers at once: milliseconds in process and
               over HTTP, streamed and whole, medians of 300, taking turns, and their ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import aiohttp
import numpy as np
from crowd import crowd, pipeline
from served import Server, served

import polyarch

LATENCY = 0.02
CALLS = 300


def memory(server: Server) -> float:
    """Resident megabytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def under_load(server: Server, clients: int, seconds: float) -> dict[str, Any]:
    """What becomes of a crowd, and of the server under it."""
    tasks = server.metrics()["polyarch_tasks"]
    began = time.monotonic()
    samples: list[tuple[float, float]] = []

    async def watch() -> None:
        while True:
            samples.append((time.monotonic() - began, memory(server)))
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    told = await crowd(server.url, clients, lambda _: time.monotonic() - began < seconds)
    taken = time.monotonic() - began
    watching.cancel()
    await asyncio.sleep(1)
    settled = [(at, size) for at, size in samples if at > seconds / 4]
    slope = np.polyfit(*np.array(settled).T, 1)[0] * 60
    sizes = [size for _, size in settled]
    found = server.metrics()
    return {
        "clients": clients,
        "seconds": round(taken, 1),
        "answered": told.answered,
        "errors": dict(told.errors),
        "answers a second": round(told.answered / taken, 1),
        "p50 ms": round(1000 * statistics.median(told.took)),
        "p99 ms": round(1000 * statistics.quantiles(told.took, n=100)[98]),
        "memory MB": [round(min(sizes), 1), round(max(sizes), 1)],
        "memory MB a minute": round(float(slope), 2),
        "tasks": [int(tasks), int(found["polyarch_tasks"])],
        "running": int(found["polyarch_requests_running"]),
    }


async def in_process(clients: int, seconds: float) -> float:
    """Answers a second without a server."""
    pipe = polyarch.loads(pipeline(LATENCY))
    began, answered = time.monotonic(), 0

    async def one() -> None:
        nonlocal answered
        while time.monotonic() - began < seconds:
            await pipe.acall(f"Question {answered}?")
            answered += 1

    await asyncio.gather(*(one() for _ in range(clients)))
    taken = time.monotonic() - began
    await pipe.aclose()
    return answered / taken


async def added(server: Server) -> dict[str, float]:
    """Milliseconds of one question: in process, and over HTTP."""
    pipe = polyarch.loads(pipeline(0))
    body = {"model": "crowd", "messages": [{"role": "user", "content": "Question?"}]}
    url = f"{server.url}/chat/completions"
    async with aiohttp.ClientSession() as session:

        async def over(stream: bool) -> None:
            async with session.post(url, json={**body, "stream": stream}) as reply:
                assert reply.status == 200
                await reply.read()

        ways: dict[str, Callable[[], Awaitable[object]]] = {
            "in process": lambda: pipe.acall("Question?"),
            "whole": lambda: over(False),
            "streamed": lambda: over(True),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(CALLS):
            for name, ask in ways.items():
                began = time.perf_counter()
                await ask()
                took[name].append(time.perf_counter() - began)
    await pipe.aclose()
    return {name: 1000 * statistics.median(times) for name, times in took.items()}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        slow, quick = Path(folder) / "slow.yaml", Path(folder) / "quick.yaml"
        slow.write_text(pipeline(LATENCY))
        quick.write_text(pipeline(0))
        limits = ("-q", "--running", str(options.clients))
        with served(str(slow), *limits, command="serve") as server:
            load = asyncio.run(under_load(server, options.clients, options.seconds))
        beside = asyncio.run(in_process(options.clients, options.seconds / 6))
        with served(str(quick), "-q", command="serve") as server:
            times = asyncio.run(added(server))
    told = {
        "crowd": load,
        "beside": {
            "answers a second": round(beside, 1),
            "ratio": round(load["answers a second"] / beside, 3),
        },
        "added": {name: round(value, 2) for name, value in times.items()}
        | {
            f"{name} ratio": round(times[name] / times["in process"], 1)
            for name in ("whole", "streamed")
        },
    }
    if options.json:
        print(json.dumps(told))
        return
    for part, values in told.items():
        print(part)
        for name, value in values.items():
            print(f"    {name:22} {value}")


if __name__ == "__main__":
    main()
