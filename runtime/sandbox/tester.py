"""Tests held against programs: one process holds the tests, another each program."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from ...compiler.errors import SandboxFailed
from ...compiler.execution import Limits, Outcome, Verdict
from .process import Output
from .verdicts import not_started

if TYPE_CHECKING:
    from .box import Sandbox

__all__ = ["BoundTester"]

_GRACE = 2.0
"""Seconds that the process of the tests has to tell the last outcomes after its time."""


class BoundTester:
    """Tests whose process is up. Implements `compiler.execution.Tester`."""

    def __init__(self, sandbox: Sandbox, control: socket.socket, tests: int, limits: Limits):
        self._sandbox = sandbox
        self._control = control
        self._tests = tests
        self._limits = limits

    async def check(self, program: str) -> tuple[Outcome, ...]:
        """The outcome of every test for one program, in the order of the tests.

        Raises `SandboxFailed`.
        """
        async with self._sandbox.slot():
            started = perf_counter()
            told, late, memory = await self._held(program)
        share = (perf_counter() - started) / max(1, self._tests)
        return tuple(
            _outcome(told.get(number), late, memory, share) for number in range(self._tests)
        )

    async def _held(self, program: str) -> tuple[dict[int, tuple[str, str]], bool, bool]:
        """What the tests told of a program, whether time was over, or memory."""
        link, far_link = socket.socketpair()
        outcomes, far_outcomes = socket.socketpair()
        outcomes.setblocking(False)
        stderr = Output(self._limits.output)
        try:
            told = {"source": program}
            # The process that holds the program is there for all tests, a fork of it for one.
            limits = replace(self._limits, cpu_seconds=int(self._limits.seconds) + 5)
            process = self._sandbox.start("program", told, limits, link, stderr=stderr.write_fd)
            os.close(stderr.write_fd)
            link.close()
            try:
                self._hand_over(far_link, far_outcomes)
                far_link.close()
                far_outcomes.close()
                said, late = await _until_closed(outcomes, self._limits.seconds + _GRACE)
            finally:
                await process.kill()
        finally:
            for end in (link, far_link, outcomes, far_outcomes):
                end.close()
            stderr.close()
        if stderr.text.startswith("bwrap:"):
            raise not_started(stderr.text)
        return _read(said), late, process.out_of_memory

    def _hand_over(self, link: socket.socket, outcomes: socket.socket) -> None:
        try:
            socket.send_fds(self._control, [b"p"], [link.fileno(), outcomes.fileno()])
        except OSError as error:
            raise SandboxFailed(f"the process of the tests is gone: {error}") from error


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


def _read(said: bytes) -> dict[int, tuple[str, str]]:
    """The outcomes told, by the number of the test; lines that are none are left out."""
    told: dict[int, tuple[str, str]] = {}
    for line in said.split(b"\n"):
        try:
            number, verdict, why = json.loads(line)
            told.setdefault(int(number), (Verdict(verdict), str(why)))
        except (ValueError, TypeError):
            continue
    return told


def _outcome(told: tuple[str, str] | None, late: bool, memory: bool, seconds: float) -> Outcome:
    if told is not None:
        return Outcome(Verdict(told[0]), told[1], seconds=seconds)
    if memory:
        return Outcome(Verdict.MEMORY, "its processes held too much memory", seconds=seconds)
    if late:
        return Outcome(Verdict.TIMEOUT, "the time of all tests was over", seconds=seconds)
    return Outcome(Verdict.ERROR, "no outcome was told", seconds=seconds)
