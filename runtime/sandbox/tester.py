"""Tests held against programs: one process holds the tests, another each program."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from ...compiler.errors import SandboxFailed
from ...compiler.execution import Limits, Outcome, Verdict
from .process import Output, Process
from .verdicts import not_started

if TYPE_CHECKING:
    from .box import Sandbox

__all__ = ["BoundTester", "Tests"]

_GRACE = 2.0
"""Seconds that the process of the tests has to tell the last outcomes after its time."""

_REST = -1
"""Stands for the number of every test of which nothing else was told."""

_Told: TypeAlias = "dict[int, tuple[Verdict, str]]"


@dataclass(frozen=True, slots=True)
class Tests:
    """The process that holds the tests: the link to it, what it wrote, and how many they are."""

    process: Process
    control: socket.socket
    stderr: Output
    count: int

    async def end(self) -> str:
        """Why it is gone, in words."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self.process.ended()
        said = self.stderr.text.strip().splitlines()
        told = self.process.end or "it does not answer"
        return f"the process of the tests is gone: {told}" + (f": {said[-1]}" if said else "")


class BoundTester:
    """Tests whose process is up. Implements `compiler.execution.Tester`."""

    def __init__(self, sandbox: Sandbox, tests: Tests, limits: Limits) -> None:
        self._sandbox = sandbox
        self._tests = tests
        self._limits = limits

    async def check(self, program: str) -> tuple[Outcome, ...]:
        """The outcome of every test for one program, in the order of the tests.

        Raises `SandboxFailed`.
        """
        async with self._sandbox.slot():
            started = perf_counter()
            told = await self._held(program)
        share = (perf_counter() - started) / max(1, self._tests.count)
        return tuple(
            Outcome(*told.get(number, told[_REST]), seconds=share)
            for number in range(self._tests.count)
        )

    async def _held(self, program: str) -> _Told:
        """What was told of a program, with what holds for the tests that nothing was told of."""
        link, far_link = socket.socketpair()
        outcomes, far_outcomes = socket.socketpair()
        outcomes.setblocking(False)
        stderr = Output(self._limits.output)
        try:
            told = {"source": program, "test_seconds": self._limits.test_seconds}
            process = self._sandbox.start(
                "program", told, self._limits, link, stderr=stderr.write_fd
            )
            os.close(stderr.write_fd)
            link.close()
            try:
                await self._hand_over(far_link, far_outcomes)
                far_link.close()
                far_outcomes.close()
                said, late = await _until_closed(outcomes, self._limits.wall + _GRACE)
            finally:
                await process.kill()
        finally:
            for end in (link, far_link, outcomes, far_outcomes):
                end.close()
            stderr.close()
        if stderr.text.startswith("bwrap:"):
            raise not_started(stderr.text)
        return await self._with_rest(_read(said), process, late=late)

    async def _with_rest(self, told: _Told, process: Process, *, late: bool) -> _Told:
        """What was told, and why nothing was told of the rest: the host's own reasons first."""
        if process.out_of_memory:
            rest = Verdict.MEMORY, "its processes held too much memory"
        elif process.out_of_time:
            used = f"{self._limits.seconds:g} seconds of processor time"
            rest = Verdict.TIMEOUT, f"all tests together took more than {used}"
        elif late:
            rest = Verdict.TIMEOUT, "the time of all tests was over"
        elif _REST in told or len(told) == self._tests.count:
            rest = told.get(_REST, (Verdict.ERROR, ""))
        else:
            rest = Verdict.ERROR, await self._tests.end()
        return told | {_REST: rest}

    async def _hand_over(self, link: socket.socket, outcomes: socket.socket) -> None:
        try:
            socket.send_fds(self._tests.control, [b"p"], [link.fileno(), outcomes.fileno()])
        except OSError as error:
            raise SandboxFailed(await self._tests.end()) from error


async def _until_closed(end: socket.socket, seconds: float) -> tuple[bytes, bool]:
    """Everything that comes until the other side closes; whether that took too long."""
    loop, said = asyncio.get_running_loop(), bytearray()
    try:
        async with asyncio.timeout(seconds):
            while part := await loop.sock_recv(end, 1 << 16):
                said += part
    except TimeoutError:
        return bytes(said), True
    return bytes(said), False


def _read(said: bytes) -> _Told:
    """The outcomes told, by the number of the test; lines that are none are left out."""
    told: _Told = {}
    for line in said.split(b"\n"):
        try:
            number, verdict, why = json.loads(line)
            told.setdefault(int(number), (Verdict(verdict), str(why)))
        except (ValueError, TypeError):
            continue
    return told
