"""An account whose time is ended from outside."""

from __future__ import annotations

import asyncio

import pytest
from sim import compiled

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import BudgetExhausted
from polyarch.compiler.spec import Budget
from polyarch.runtime.ledger import Ledger
from polyarch.runtime.result import Result
from polyarch.runtime.session import Session
from polyarch.runtime.virtual import run

VOTED = """
name: p
answer: number
models: {m: {model: scripted/x, max_draws: 1}}
steps: {drafts: {op: generate, n: 3}, best: {op: vote}}
"""


def slower(_: Request, draw: Draw) -> Script:
    return Script("7", latency=10.0 * (draw.index + 1))


def ask(after: float, due: float) -> tuple[Result, float, Scripted]:
    """Ask, and end the account's time `after` seconds, as of `due`."""
    backend = Scripted(slower)

    async def main() -> tuple[Result, float]:
        account = Ledger("outside", Budget(), endable=True)
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with Session(compiled(VOTED), backends={"m": backend}) as session:
            loop.call_later(after, account.end, began + due, "enough")
            result = await session.ask("?", batch=account)
        return result, loop.time() - began

    result, seconds = run(main())
    return result, seconds, backend


def test_what_is_under_way_is_cut_short_and_the_best_goes_on() -> None:
    result, seconds, backend = ask(12.0, 15.0)
    assert seconds == 15.0
    assert result.answer == "7"
    assert [(one.step, one.place) for one in result.lost] == [("drafts", 1), ("drafts", 2)]
    assert "outside: enough" in result.stopped
    assert (backend.log.finished, backend.log.cancelled) == (1, 2)
    # What was sent is paid for.
    assert result.usage.calls == 3


def test_what_ends_before_is_not_touched() -> None:
    result, seconds, _ = ask(12.0, 40.0)
    assert (seconds, result.lost, result.stopped) == (30.0, (), "")


def test_a_time_that_is_over_lets_nothing_begin() -> None:
    async def main() -> None:
        account = Ledger("outside", Budget(), endable=True)
        account.end(asyncio.get_running_loop().time(), "enough")
        inner = Ledger("inner", Budget(seconds=100.0), account)
        with pytest.raises(BudgetExhausted, match="outside: enough") as caught:
            async with inner.in_time():
                raise AssertionError
        assert caught.value.best

    run(main())


def test_the_earlier_end_counts() -> None:
    async def main() -> float:
        account = Ledger("outside", Budget(), endable=True)
        began = asyncio.get_running_loop().time()
        account.end(began + 5.0, "enough")
        account.end(began + 50.0, "later")
        inner = Ledger("inner", Budget(seconds=100.0), account)
        with pytest.raises(BudgetExhausted, match="outside: enough"):
            async with inner.in_time():
                await asyncio.sleep(1000.0)
        return asyncio.get_running_loop().time() - began

    assert run(main()) == 5.0
