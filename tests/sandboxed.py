"""What tests of the sandbox share: none runs where isolation is not real, and CI allows no skip."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from polyarch.compiler.errors import SandboxFailed
from polyarch.compiler.execution import Limits, Outcome, Script
from polyarch.runtime.sandbox.box import Sandbox
from polyarch.runtime.sandbox.probe import probed

__all__ = ["QUICK", "checked", "lacking", "needs_sandbox", "ran", "within"]

T = TypeVar("T")

QUICK = Limits(seconds=5.0, test_seconds=1.0, memory=256 << 20)


def lacking() -> str:
    """Why programs cannot be run here; "" if they can."""
    try:
        probed()
    except SandboxFailed as error:
        return str(error)
    return ""


def needs_sandbox() -> None:
    """Skip, or with CI set fail, where programs cannot be run."""
    why = lacking()
    if why and os.environ.get("CI"):
        pytest.fail(why)
    elif why:
        pytest.skip(why)


def within(work: Callable[[Sandbox], Awaitable[T]], *, concurrency: int = 2) -> T:
    """What becomes of work with a sandbox; nothing may be left running."""

    async def main() -> T:
        done = await work(Sandbox(concurrency=concurrency))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return done

    return asyncio.run(main())


def ran(source: str, *arguments: str, limits: Limits = QUICK, stdin: str = "") -> Outcome:
    """The outcome of one program."""
    return within(lambda box: box.run(Script(source, arguments, stdin), limits))


def checked(program: str, *tests: str, limits: Limits = QUICK) -> list[Outcome]:
    """The outcomes of tests for one program."""

    async def work(box: Sandbox) -> list[Outcome]:
        async with box.tester(tests, limits) as tester:
            return list(await tester.check(program))

    return within(work)
