"""Virtual time passes at once, in order, and never hangs."""

from __future__ import annotations

import asyncio
import time

import pytest

from polyarch.runtime.virtual import Stuck, run


def test_sleeping_takes_no_time_and_moves_the_clock() -> None:
    async def main() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        told: list[tuple[str, float]] = []

        async def nap(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            told.append((name, loop.time()))

        await asyncio.gather(nap("long", 100_000.0), nap("short", 1.5), nap("none", 0.0))
        return told

    started = time.perf_counter()
    assert run(main()) == [("none", 0.0), ("short", 1.5), ("long", 100_000.0)]
    assert time.perf_counter() - started < 1


def test_timeouts_fire_at_their_instant() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await asyncio.sleep(1000)
        return asyncio.get_running_loop().time()

    assert run(main()) == 2.5


def test_waiting_for_ever_is_refused() -> None:
    cancelled = []

    async def main() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with pytest.raises(Stuck, match="no timer"):
        run(main())
    assert cancelled == [True]


def test_errors_and_results_come_through() -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise KeyError("x")

    with pytest.raises(KeyError):
        run(fail())
