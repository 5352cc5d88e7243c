"""What the runtime costs beside asyncio written by hand, on one scripted backend, in one run.

    python benchmarks/overhead.py [--repeat 7] [--json]

Both sides ask the same backend the same number of times, one completion a request. Shapes:

    fan        16 answers, 4 fusers of 4 each, 1 fuser of 4; 50 ms a reply
    skewed     8 branches of two calls each, their latencies mirrored (50 + 250 … 250 + 50 ms)
    chain      20 calls one after another, 50 ms a reply
    wide       1,000 answers and a vote; 50 ms and 2 s a reply
    fans       200 fans at once
    failing    a fan of which one of 16 answers fails after 10 ms
    compile    a pipeline of 1,000 steps from text to plan

Wall is shown over the critical path, CPU per model call in microseconds; medians over repeats, the
two sides taking turns. Garbage collection is set as `polyarch run` sets it, for both sides.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.build import build
from polyarch.compiler.errors import ServerFailed, StepFailed
from polyarch.compiler.plan import Plan, plan
from polyarch.compiler.source import parse
from polyarch.compiler.values import Message, Purpose
from polyarch.runtime.session import Session

REPLY = 0.05


def compiled(steps: str, answer: str = "text") -> Plan:
    """A plan on one scripted model that takes one draw a request and any number at once."""
    text = f"""
name: bench
models: {{m: {{model: scripted/bench, max_draws: 1, concurrency: 100000, retries: 0}}}}
answer: {answer}
steps:
{steps}
"""
    return plan(build(parse(text), Path(".")))


def fan_steps() -> str:
    leaves = [f"  leaf{i}: {{op: generate, n: 4}}" for i in range(4)]
    mergers = [f"  merge{i}: {{op: fuse, from: leaf{i}}}" for i in range(4)]
    last = "  last: {op: fuse, from: [merge0, merge1, merge2, merge3]}"
    return "\n".join([*leaves, *mergers, last])


def skewed_steps() -> str:
    return "  drafts: {op: generate, n: 8}\n  refined: {op: refine}\n  last: {op: fuse}"


def chain_steps(length: int) -> str:
    steps = [f"  step{i}: {{op: refine}}" for i in range(length - 1)]
    return "\n".join(["  first: {op: generate}", *steps])


def wide_steps(width: int) -> str:
    return f"  drafts: {{op: generate, n: {width}}}\n  last: {{op: vote}}"


class ByHand:
    """The same graphs, as someone would write them with asyncio on the same backend."""

    def __init__(self, backend: Scripted) -> None:
        self.backend = backend

    async def call(self, role: str, index: int, text: str) -> str:
        messages = (Message("user", text),)
        request = Request("m", messages, Purpose(role, text), (Draw(index, index, index),), 256)
        said = ""
        async for piece in self.backend.generate(request):
            said += piece.text
        return said

    async def fan(self) -> str:
        async def merge(branch: int) -> str:
            async with asyncio.TaskGroup() as group:
                leaves = [group.create_task(self.call("solve", i, "q")) for i in range(4)]
            return await self.call("fuse", branch, "\n".join(leaf.result() for leaf in leaves))

        async with asyncio.TaskGroup() as group:
            merged = [group.create_task(merge(branch)) for branch in range(4)]
        return await self.call("fuse", 0, "\n".join(m.result() for m in merged))

    async def skewed(self) -> str:
        async def branch(index: int) -> str:
            return await self.call("revise", index, await self.call("solve", index, "q"))

        async with asyncio.TaskGroup() as group:
            branches = [group.create_task(branch(index)) for index in range(8)]
        return await self.call("fuse", 0, "\n".join(b.result() for b in branches))

    async def chain(self, length: int) -> str:
        text = await self.call("solve", 0, "q")
        for _ in range(length - 1):
            text = await self.call("revise", 0, text)
        return text

    async def wide(self, width: int) -> str:
        async with asyncio.TaskGroup() as group:
            answers = [group.create_task(self.call("solve", i, "q")) for i in range(width)]
        said = [answer.result() for answer in answers]
        return max(set(said), key=said.count)


def mirrored(request: Request, draw: Draw) -> float:
    """Branch i takes 50 + 200·i/7 ms and then what is left of 300; the last call is quick."""
    if request.purpose.role == "fuse":
        return 0.0
    first = 0.05 + 0.2 * (draw.index % 8) / 7
    return first if request.purpose.role == "solve" else 0.3 - first


def skewed_reply(request: Request, draw: Draw) -> str:
    return f"branch {draw.index}"


@dataclass
class Timing:
    """Medians of one side: wall and CPU seconds of a run."""

    wall: float
    cpu: float


async def timed(work: Callable[[], Awaitable[object]]) -> Timing:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return Timing(time.perf_counter() - wall, time.process_time() - cpu)


async def compare(
    ours: Callable[[], Awaitable[object]], hand: Callable[[], Awaitable[object]], repeat: int
) -> tuple[Timing, Timing]:
    """Medians of both sides, taking turns; one warm-up each."""
    await ours()
    await hand()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    sides: tuple[list[Timing], list[Timing]] = ([], [])
    for _ in range(repeat):
        sides[0].append(await timed(ours))
        sides[1].append(await timed(hand))
    medians = [
        Timing(statistics.median(t.wall for t in side), statistics.median(t.cpu for t in side))
        for side in sides
    ]
    return medians[0], medians[1]


async def shape(
    name: str,
    steps: str,
    hand: Callable[[ByHand], Awaitable[object]],
    *,
    calls: int,
    critical: float,
    latency: float | Callable[[Request, Draw], float] = REPLY,
    at_once: int = 1,
    repeat: int,
) -> dict[str, object]:
    backend = Scripted(lambda request, draw: f"text {draw.index}", latency=latency)
    session = Session(compiled(steps), backends={"m": backend})

    async def ours() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(at_once):
                group.create_task(session.ask("What is it?", id=str(number)))

    by_hand = ByHand(backend)

    async def theirs() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(hand(by_hand))  # type: ignore[arg-type]

    mine, other = await compare(ours, theirs, repeat)
    total = calls * at_once
    return {
        "shape": name,
        "calls": total,
        "critical path, s": critical,
        "wall / critical path": mine.wall / critical,
        "by hand": other.wall / critical,
        "cpu a call, us": mine.cpu / total * 1e6,
        "by hand, us": other.cpu / total * 1e6,
        "beyond, us": (mine.cpu - other.cpu) / total * 1e6,
        "graphs a second": at_once / mine.wall,
        "by hand, graphs a second": at_once / other.wall,
    }


async def failing() -> dict[str, object]:
    """One of 16 leaves fails after 10 ms: what becomes of its siblings."""

    def reply(request: Request, draw: Draw) -> Script:
        if request.step == "leaf1" and draw.index == 2:
            return Script(latency=0.01, fault=ServerFailed("boom"))
        return Script("text", latency=REPLY)

    backend = Scripted(reply)
    session = Session(compiled(fan_steps()), backends={"m": backend})
    start = time.perf_counter()
    with contextlib.suppress(StepFailed):
        await session.ask("What is it?")
    wall = time.perf_counter() - start
    return {
        "shape": "failing",
        "wall, s": wall,
        "asked": backend.log.asked,
        "finished": backend.log.finished,
        "cancelled": backend.log.cancelled,
        "under way": backend.log.under_way,
    }


def compiling(repeat: int) -> dict[str, object]:
    """A pipeline of 1,000 steps: 250 sources, a critique and a refine each, 250 fuses in a tree."""
    steps = []
    for i in range(250):
        steps.append(f"  d{i}: {{op: generate, n: 2, temperature: 0.7}}")
        steps.append(f"  c{i}: {{op: critique}}")
        steps.append(f"  r{i}: {{op: refine}}")
        before = "" if i == 0 else f", f{i - 1}"
        steps.append(f"  f{i}: {{op: fuse, from: [r{i}{before}]}}")
    text = "\n".join(steps)
    walls = []
    for _ in range(repeat):
        gc.collect()
        start = time.perf_counter()
        made = compiled(text)
        walls.append(time.perf_counter() - start)
    assert len(made.graph.nodes) == 1000
    return {"shape": "compile", "steps": 1000, "seconds": statistics.median(walls)}


async def measure(repeat: int) -> list[dict[str, object]]:
    return [
        await shape("fan", fan_steps(), ByHand.fan, calls=21, critical=3 * REPLY, repeat=repeat),
        await shape(
            "skewed",
            skewed_steps(),
            ByHand.skewed,
            calls=17,
            critical=0.3,
            latency=mirrored,
            repeat=repeat,
        ),
        await shape(
            "chain",
            chain_steps(20),
            lambda by: by.chain(20),
            calls=20,
            critical=20 * REPLY,
            repeat=max(3, repeat // 2),
        ),
        await shape(
            "wide, 50 ms",
            wide_steps(1000),
            lambda by: by.wide(1000),
            calls=1000,
            critical=REPLY,
            repeat=repeat,
        ),
        await shape(
            "wide, 2 s",
            wide_steps(1000),
            lambda by: by.wide(1000),
            calls=1000,
            critical=2.0,
            latency=2.0,
            repeat=max(3, repeat // 2),
        ),
        await shape(
            "200 fans",
            fan_steps(),
            ByHand.fan,
            calls=21,
            critical=3 * REPLY,
            at_once=200,
            repeat=repeat,
        ),
        await failing(),
        compiling(repeat),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    arguments = parser.parse_args()
    for row in asyncio.run(measure(arguments.repeat)):
        if arguments.json:
            print(json.dumps(row))
            continue
        shown = (f"{k} {v:,.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
        print("; ".join(shown))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
