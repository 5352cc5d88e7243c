"""The sandbox: runs programs that are not trusted, several at once, each apart from all else."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from math import ceil, inf, isfinite
from pathlib import PurePosixPath
from time import perf_counter
from typing import Any

from ...compiler.errors import InputError
from ...compiler.execution import Limits, Outcome, Script
from .command import confined_command, plain_command
from .filter import seccomp_filter
from .probe import probed
from .process import Output, Process, told_file
from .tester import BoundTester, Tests
from .verdicts import script_outcome

__all__ = ["Sandbox"]

_FIRST_UID = 2_000_000_000
"""User ids from here on are taken by programs, where the host is root: nobody else's."""


class Sandbox:
    """Runs programs apart from everything: no network, no files but Python's own, no keys.

    At most `concurrency` programs at once; as many as there are processors if left out. With
    `confined=False` nothing is kept apart, and limits alone hold. Implements
    `compiler.execution.Executor`. Belongs to one event loop.
    """

    def __init__(
        self, *, concurrency: int | None = None, confined: bool = True, proven: bool = False
    ) -> None:
        """`proven` says that isolation need not be tried before the first program."""
        self._confined = confined
        self._proven = proven or not confined
        self._slots = asyncio.Semaphore(concurrency or len(os.sched_getaffinity(0)))
        self._taken = 0

    async def run(self, script: Script, limits: Limits) -> Outcome:
        """Run a program on its own. Raises `InputError` for a file name that leads elsewhere, and
        `SandboxFailed`."""
        for name in script.files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise InputError(f"a program's file must lie beside it, and {name!r} does not")
        await self._prove()
        async with self._slots:
            return await self._run(script, limits)

    @asynccontextmanager
    async def tester(self, tests: Sequence[str], limits: Limits) -> AsyncIterator[BoundTester]:
        """Tests made ready, in a process of their own, for any number of programs.

        Raises `SandboxFailed`.
        """
        await self._prove()
        mine, theirs = socket.socketpair()
        told = {
            "tests": list(tests),
            "test_seconds": limits.test_seconds,
            "slack": limits.slack,
            "wall": limits.wall,
        }
        # There for all programs, so no time is too long; each of its forks is bounded by its own.
        wide = Limits(seconds=inf, memory=max(limits.memory, 1 << 30), processes=256)
        stderr = Output(limits.output)
        try:
            process = self.start("tests", told, wide, theirs, stderr=stderr.write_fd)
        finally:
            theirs.close()
            os.close(stderr.write_fd)
        try:
            yield BoundTester(self, Tests(process, mine, stderr, len(tests)), limits)
        finally:
            mine.close()
            await process.kill()
            stderr.close()

    async def _prove(self) -> None:
        if not self._proven:
            await asyncio.to_thread(probed)
            self._proven = True

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """The turn of one program."""
        async with self._slots:
            yield

    def start(
        self,
        module: str,
        told: Mapping[str, Any],
        limits: Limits,
        link: socket.socket,
        *,
        fds: Sequence[int] = (),
        stdout: int = subprocess.DEVNULL,
        stderr: int = subprocess.DEVNULL,
    ) -> Process:
        """Start a module of `inside`, told what to do and given a link to the host."""
        uid = self._uid()
        handed = {
            **told,
            "link": link.fileno(),
            "uid": uid,
            "rlimits": self._rlimits(limits),
            "confined": self._confined,
        }
        with ExitStack() as closing:
            command, wanted = self._command(module, limits, closing)
            return Process(
                command,
                handed,
                fds=(link.fileno(), *fds, *wanted),
                stdout=stdout,
                stderr=stderr,
                memory=limits.memory + limits.scratch,
                seconds=limits.seconds,
                confined=self._confined,
            )

    def _command(
        self, module: str, limits: Limits, closing: ExitStack
    ) -> tuple[list[str], tuple[int, ...]]:
        if not self._confined:
            return plain_command(module), ()
        read, write = os.pipe()
        closing.callback(os.close, read)
        with os.fdopen(write, "wb") as file:
            file.write(seccomp_filter())
        return confined_command(limits, module, read, root=os.geteuid() == 0), (read,)

    def _uid(self) -> int:
        """A user id that no other program has."""
        if not self._confined or os.geteuid():
            return 0
        self._taken += 1
        return _FIRST_UID + (os.getpid() % 4096) * 4096 + self._taken % 4096

    def _rlimits(self, limits: Limits) -> dict[str, tuple[int, int]]:
        both = {
            "AS": limits.memory,
            "FSIZE": limits.file,
            "NOFILE": 128,
            "CORE": 0,
        }
        if self._confined:  # elsewhere it would count everything else that the user runs
            both["NPROC"] = limits.processes
        rlimits = {name: (limit, limit) for name, limit in both.items()}
        if isfinite(limits.seconds):  # behind the host's own watch, which is finer
            rlimits["CPU"] = (ceil(limits.seconds) + 1, ceil(limits.seconds) + 2)
        return rlimits

    async def _run(self, script: Script, limits: Limits) -> Outcome:
        mine, theirs = socket.socketpair()
        mine.setblocking(False)
        stdout, stderr = Output(limits.output), Output(limits.output)
        stdin = told_file(script.stdin)
        told = {
            "source": script.source,
            "arguments": list(script.arguments),
            "files": dict(script.files),
            "stdin": stdin,
        }
        started = perf_counter()
        try:
            process = self.start(
                "script",
                told,
                limits,
                theirs,
                fds=(stdin,),
                stdout=stdout.write_fd,
                stderr=stderr.write_fd,
            )
        finally:
            for fd in (stdin, stdout.write_fd, stderr.write_fd):
                os.close(fd)
            theirs.close()
        stopped = ""
        try:
            stopped = await _watched(process, limits.wall, stdout, stderr)
        finally:
            await process.kill()
            stdout.close()
            stderr.close()
            said = _received(mine)
        seconds = perf_counter() - started
        return script_outcome(said, stopped, process, limits, stdout.text, stderr.text, seconds)


def _received(link: socket.socket) -> str:
    with link:
        try:
            return link.recv(256).decode()
        except OSError:
            return ""


async def _watched(process: Process, seconds: float, *outputs: Output) -> str:
    """Wait for the end, or for what must end it: why it was, or ""."""
    waits = [asyncio.ensure_future(process.ended())]
    waits += [asyncio.ensure_future(_over(output)) for output in outputs]
    try:
        done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    if not done:
        return "timeout"
    return "" if waits[0] in done else "output"


async def _over(output: Output) -> int:
    await output.over.wait()
    return 0
