"""Closing a request stops the work at its source."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from conformance.subject import Opened, Subject, ask, nothing_left, until

from polyarch.backends.base import Capability, Request

pytestmark = pytest.mark.offers(Capability.CANCEL)


def endless(subject: Subject) -> list[Request]:
    """Work that would go on: one request where it may ask for many draws, else many."""
    most = min(subject.endless_draws, subject.info.max_draws)
    fields = {"text": subject.endless, "max_tokens": subject.endless_tokens}
    return [
        subject.request(most, seed=at, **fields) for at in range(0, subject.endless_draws, most)
    ]


@pytest.mark.trait("streams")
async def test_closing(subject: Subject, opened: Opened) -> None:
    before = asyncio.all_tasks()
    pieces = opened.backend.generate(endless(subject)[0])
    async with aclosing(pieces):
        await anext(pieces)
        await until(opened, busy=True)
    await until(opened, busy=False)
    await nothing_left(before)
    assert (await ask(opened.backend, subject.request()))[0].finish


async def test_cancelling(subject: Subject, opened: Opened) -> None:
    before = asyncio.all_tasks()
    tasks = [asyncio.create_task(ask(opened.backend, r)) for r in endless(subject)]
    await until(opened, busy=True)
    for task in tasks:
        task.cancel()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert any(isinstance(one, asyncio.CancelledError) for one in told)
    await until(opened, busy=False)
    await nothing_left(before)
    assert (await ask(opened.backend, subject.request()))[0].finish
