"""Many streaming clients at once: everyone is answered, and nothing is left."""

from __future__ import annotations

import asyncio

from crowd import crowd, pipeline
from hosting import hosting
from sim import compiled

from polyarch.pipeline import Pipeline
from polyarch.server.app import Limits

CLIENTS = 200


async def test_everyone_is_answered_and_nothing_is_left() -> None:
    asked = 2 * CLIENTS
    async with hosting(Pipeline(compiled(pipeline(0.01))), limits=Limits(64, CLIENTS)) as host:
        before = len(asyncio.all_tasks())
        told = await crowd(host.url, CLIENTS, lambda so_far: so_far < asked)
        assert not told.errors
        assert told.answered == asked
        opened = host.hosted["crowd"]
        while opened.users:  # noqa: ASYNC110 -- clients know of the end before the server does
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) <= before
        assert len(host.hosted.traces) == 200
        assert all(trace.state == "ended" for trace in host.hosted.traces)
        assert f'outcome="200"}} {asked}.0' in host.metrics.text().decode()


async def test_those_who_find_no_place_are_told_when_to_come_again() -> None:
    async with hosting(Pipeline(compiled(pipeline(0.2))), limits=Limits(2, 3)) as host:
        told = await crowd(host.url, 20, lambda so_far: so_far < 20)
        reply = await host.post(model="crowd")
    assert told.answered == 5
    assert told.errors == {"status 429": 15}
    assert reply.status_code == 200


async def test_nobody_notices_that_a_pipeline_is_replaced() -> None:
    made = pipeline(0.005)
    async with hosting(Pipeline(compiled(made))) as host:
        opened = [host.hosted["crowd"]]

        async def replace() -> None:
            for number in range(1, 20):
                await asyncio.sleep(0.02)
                text = made.replace("n: 3", f"n: 3, max_tokens: {100 + number}")
                host.hosted.replace(Pipeline(compiled(text)))
                opened.append(host.hosted["crowd"])

        replacing = asyncio.create_task(replace())
        told = await crowd(host.url, 40, lambda so_far: so_far < 200 or not replacing.done())
        await replacing
        while any(one.users for one in opened):  # noqa: ASYNC110 -- clients know before it does
            await asyncio.sleep(0.01)
    assert not told.errors
    assert told.answered >= 200
    digests = {trace.plan.digest for trace in host.hosted.traces}
    assert len(digests) > 3
