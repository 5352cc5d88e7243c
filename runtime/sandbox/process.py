"""One process started for a program: what it is told, what it says, and its end."""

from __future__ import annotations

import asyncio
import marshal
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from .tree import processor, resident, tree

__all__ = ["Output", "Process", "told_file"]

_WATCH = 0.05
"""Seconds between two looks at how much memory a tree holds, and what time it took."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Output:
    """What a process writes, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._read, self.write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read, False)
        self._said = bytearray()
        self.over = asyncio.Event()
        """Set when more was written than the limit."""
        asyncio.get_running_loop().add_reader(self._read, self._more)

    @property
    def text(self) -> str:
        """What was written so far."""
        return self._said.decode("utf-8", "replace")

    def _more(self) -> None:
        with suppress(BlockingIOError):
            part = os.read(self._read, 1 << 16)
            self._said += part[: self._limit - len(self._said)]
            if len(part) and len(self._said) >= self._limit:
                self.over.set()
            if not part or self.over.is_set():
                asyncio.get_running_loop().remove_reader(self._read)

    def close(self) -> None:
        """Read what is left, and close."""
        with suppress(BlockingIOError):
            while len(self._said) < self._limit and (part := os.read(self._read, 1 << 16)):
                self._said += part[: self._limit - len(self._said)]
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)


def told_file(told: Mapping[str, Any] | str) -> int:
    """A file that holds what a process reads from its standard input; the caller closes it."""
    fd = os.memfd_create("told")
    data = told.encode() if isinstance(told, str) else marshal.dumps(dict(told))
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class Process:
    """A process and all that it starts. `kill` ends them all, and returns when they are gone."""

    def __init__(
        self,
        command: Sequence[str],
        told: Mapping[str, Any],
        *,
        fds: Sequence[int] = (),
        stdout: int = subprocess.DEVNULL,
        stderr: int = subprocess.DEVNULL,
        memory: int,
        seconds: float,
        confined: bool,
    ) -> None:
        """`memory` bounds what the tree holds together, in bytes; `seconds` the processor time that
        it takes."""
        self._confined = confined
        life, self._life = os.pipe2(os.O_CLOEXEC)
        stdin = told_file({**told, "life": life})
        try:
            self._popen = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(life, *fds),
                env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONHASHSEED": "0"},
                cwd="/",
                start_new_session=True,
            )
        finally:
            os.close(stdin)
            os.close(life)
        self._pidfd = os.pidfd_open(self._popen.pid)
        self._ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pidfd, self._end)
        self.out_of_memory = False
        """Whether the tree was ended because of the memory it held."""
        self.out_of_time = False
        """Whether the tree was ended because of the processor time it took."""
        self._memory = memory
        self._seconds = seconds
        self._watch = loop.call_later(_WATCH, self._look)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        os.close(self._life)
        self._popen.wait()
        self._watch.cancel()
        self._ended.set()

    def _look(self) -> None:
        pids = tree(self._popen.pid)
        if sum(map(resident, pids)) * _PAGE > self._memory:
            self.out_of_memory = True
            self._signal(pids)
        elif sum(map(processor, pids)) > self._seconds:
            self.out_of_time = True
            self._signal(pids)
        else:
            self._watch = asyncio.get_running_loop().call_later(_WATCH, self._look)

    async def ended(self) -> int:
        """Its exit status, once it and all in its namespace are gone."""
        await self._ended.wait()
        return self._popen.returncode

    @property
    def end(self) -> str:
        """How it ended, in words; "" if it did not yet."""
        if not self._ended.is_set():
            return ""
        if self.out_of_memory:
            return "it held too much memory"
        if self.out_of_time:
            return "it took too much processor time"
        status = self._popen.returncode
        # bubblewrap tells a signal as a shell does.
        number = -status if status < 0 else status - 128
        with suppress(ValueError):
            return f"it was ended by {signal.Signals(number).name}"
        return f"it ended with status {status}"

    async def kill(self) -> None:
        """End it and all that it started. Idempotent."""
        while not self._ended.is_set():
            self._signal(tree(self._popen.pid))
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._ended.wait()

    def _signal(self, pids: Sequence[int]) -> None:
        # The first below bubblewrap is the first of the namespace: with it all others end, and
        # bubblewrap ends when they have. Were it killed itself, nobody would know when that is.
        victims = pids[1:2] or pids if self._confined else pids
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
