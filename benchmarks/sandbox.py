"""What keeping programs apart costs, beside running them with nothing around them, in one run.

    python benchmarks/sandbox.py [--repeat 20]

    python       the interpreter started bare, doing nothing
    run          a program that does nothing, in the sandbox; then with nothing around it
    check        one program against one test, the process of the tests being up
    test         what each further test of the same program adds
    two at once  programs a second, two at a time, in the sandbox

Milliseconds, the median of the repeats; the sides take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable

from polyarch.compiler.execution import Limits, Script
from polyarch.runtime.sandbox.box import Sandbox
from polyarch.runtime.sandbox.command import interpreter

LIMITS = Limits(seconds=30.0)
PROGRAM, TEST = "def f(x): return x + 1", "assert f(1) == 2"
MANY = 51


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - start)


async def bare() -> None:
    command = [str(interpreter()), "-S", "-c", "0"]
    subprocess.run(command, check=True)  # noqa: ASYNC221 -- nothing else is under way


async def measure(repeat: int) -> dict[str, float]:
    box, open_box = Sandbox(concurrency=2), Sandbox(confined=False)
    await box.run(Script("pass"), LIMITS)
    sides: dict[str, list[float]] = {}
    async with box.tester([TEST], LIMITS) as one, box.tester([TEST] * MANY, LIMITS) as many:
        for _ in range(repeat):
            for name, work in {
                "python": bare,
                "run": lambda: box.run(Script("pass"), LIMITS),
                "run, unconfined": lambda: open_box.run(Script("pass"), LIMITS),
                "check": lambda: one.check(PROGRAM),
                f"check of {MANY}": lambda: many.check(PROGRAM),
            }.items():
                sides.setdefault(name, []).append(await timed(work))
    told = {name: statistics.median(times) for name, times in sides.items()}
    told["test"] = (told[f"check of {MANY}"] - told["check"]) / (MANY - 1)
    both = await timed(
        lambda: asyncio.gather(*[box.run(Script("pass"), LIMITS) for _ in range(repeat)])
    )
    told["two at once, a second"] = 1000 * repeat / both
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=20)
    told = asyncio.run(measure(parser.parse_args().repeat))
    for name, value in told.items():
        print(f"{name:24}{value:8.1f}")
    print(f"{'run / unconfined':24}{told['run'] / told['run, unconfined']:8.1f}")


if __name__ == "__main__":
    main()
