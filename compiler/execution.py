"""What becomes of a program that is run: limits in, outcomes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

__all__ = ["Executor", "Limits", "Outcome", "Script", "Tester", "Verdict"]

_MIB = 1 << 20


class Verdict(StrEnum):
    """How a run, or a test, ended. Only `PASS` is a pass."""

    PASS = "pass"
    """A program ended with status 0; a test held."""
    FAIL = "fail"
    """A program ended with another status; an assertion of a test did not hold."""
    ERROR = "error"
    """It broke before it could pass or fail, or its outcome cannot be told."""
    TIMEOUT = "timeout"
    MEMORY = "memory"
    UNREADABLE = "unreadable"
    """Of a test in words: what its judge said cannot be read."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use. Sizes are bytes.

    Times are of the processor, so that what passes does so on a loaded machine, too; by the clock
    everything may take `slack` times as long. `memory` bounds the address space of one process
    exactly; the sums of memory and of time are watched, twenty times a second, and can pass the
    limit for as long as that takes.
    """

    seconds: float = 10.0
    """Processor time of a run, or of all tests of one program, all its processes together."""
    test_seconds: float = 2.0
    """Processor time of one test: of the program, and of the test itself."""
    slack: float = 5.0
    """How many times its processor time a run, a test or all tests may take by the clock."""
    memory: int = 512 * _MIB
    processes: int = 16
    """Processes and threads at once."""
    scratch: int = 64 * _MIB
    """The folder that may be written to."""
    file: int = 16 * _MIB
    """One file."""
    output: int = 64 << 10
    """Standard output and error, each; one that writes more is stopped."""

    @property
    def wall(self) -> float:
        """Seconds by the clock of a run, or of all tests of one program."""
        return self.slack * self.seconds


@dataclass(frozen=True, slots=True)
class Script:
    """A program to run on its own: its arguments, standard input, and files put beside it."""

    source: str
    arguments: tuple[str, ...] = ()
    stdin: str = ""
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run, or one test, ended, and why; output is cut off at its limit."""

    verdict: Verdict
    why: str = ""
    """One line for people; empty for a pass."""
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the verdict is `PASS`."""
        return self.verdict is Verdict.PASS


class Tester(Protocol):
    """Tests made ready to be held against any number of programs."""

    async def check(self, program: str) -> tuple[Outcome, ...]:
        """The outcome of every test for one program, in the order of the tests."""


class Executor(Protocol):
    """Runs programs that are not trusted."""

    async def run(self, script: Script, limits: Limits) -> Outcome:
        """Run a program on its own."""

    def tester(self, tests: Sequence[str], limits: Limits) -> AbstractAsyncContextManager[Tester]:
        """Make tests ready: each is Python that calls what a program defines, and asserts."""
