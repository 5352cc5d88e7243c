"""Many questions in one process: throughput, CPU a call, peak memory.

    python benchmarks/load.py [--questions 10000] [--concurrency 2000]

Each question is 8 calls of 50 ms on the scripted backend: four answers, each refined once, and a
vote. Each size runs in a process of its own, so that peak memory is its own; it grows with the
concurrency, not with the number of questions.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import subprocess
import sys
import time
from pathlib import Path

from polyarch.backends.scripted import Scripted
from polyarch.compiler.build import build
from polyarch.compiler.plan import plan
from polyarch.compiler.source import parse
from polyarch.runtime.session import Session

PIPELINE = """
name: load
answer: number
models: {m: {model: scripted/load, max_draws: 1, concurrency: 100000}}
steps:
  drafts: {op: generate, n: 4}
  checked: {op: refine}
  answer: {op: vote}
"""


async def answer_all(questions: int, concurrency: int) -> None:
    backend = Scripted(lambda request, draw: f"so it is {draw.index % 3}", latency=0.05)
    session = Session(plan(build(parse(PIPELINE), Path())), backends={"m": backend})
    gc.collect()
    gc.freeze()  # as `polyarch run` does
    gc.set_threshold(50_000, 20, 20)
    wall, cpu = time.perf_counter(), time.process_time()
    asked = (f"What is {number} + 2?" for number in range(questions))
    answered = 0
    async for _ in session.map(asked, concurrency=concurrency):
        answered += 1
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    calls = backend.log.asked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{answered:,} questions at {concurrency:,}: {calls:,} calls in {wall:.1f} s, "
        f"{calls / wall:,.0f} calls/s, {cpu / calls * 1e6:.0f} us CPU a call, "
        f"peak {peak:,.0f} MiB, most under way {backend.log.most_under_way:,}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Many questions in one process.")
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=2_000)
    parser.add_argument("--one", action="store_true", help="this size alone, in this process")
    arguments = parser.parse_args()
    if arguments.one:
        asyncio.run(answer_all(arguments.questions, arguments.concurrency))
        return
    whole, most = arguments.questions, arguments.concurrency
    for questions, concurrency in ((whole, most), (whole // 2, most), (whole, most // 4)):
        size = ["--one", "--questions", str(questions), "--concurrency", str(concurrency)]
        subprocess.run([sys.executable, __file__, *size], check=True)


if __name__ == "__main__":
    main()
