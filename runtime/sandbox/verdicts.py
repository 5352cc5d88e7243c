"""From the end of a process to a verdict."""

from __future__ import annotations

import signal

from ...compiler.errors import SandboxFailed
from ...compiler.execution import Limits, Outcome, Verdict
from .command import INSTALL
from .process import Process

__all__ = ["not_started", "script_outcome"]


def not_started(stderr: str) -> SandboxFailed:
    """The error of a process that ended before it was confined."""
    said = stderr.strip().splitlines()
    return SandboxFailed(
        f"the sandbox could not be set up: {said[-1] if said else 'it ended without a word'}; "
        f"it needs bubblewrap ({INSTALL})"
    )


def script_outcome(
    said: str,
    stopped: str,
    process: Process,
    limits: Limits,
    stdout: str,
    stderr: str,
    seconds: float,
) -> Outcome:
    """How a program ended. `said` is what the process that waited for it said of its end: status,
    processor seconds, whether it ran out of memory; `stopped` why the host ended
    it, unless it was for what `process` took.

    Raises `SandboxFailed` when nothing was said and nothing stopped it.
    """
    verdict, why = _verdict(said, stopped, process, limits, stderr)
    return Outcome(verdict, why, stdout, stderr, seconds)


def _verdict(
    said: str, stopped: str, process: Process, limits: Limits, stderr: str
) -> tuple[Verdict, str]:
    if process.out_of_memory:
        return Verdict.MEMORY, f"its processes held more than {limits.memory:,} bytes"
    if process.out_of_time:
        return Verdict.TIMEOUT, _late(limits)
    if stopped == "timeout":
        return Verdict.TIMEOUT, f"no end within {limits.wall:g} seconds"
    if stopped == "output":
        return Verdict.ERROR, f"it wrote more than {limits.output:,} bytes"
    if not said:
        raise not_started(stderr)
    status, used, memory = said.split()
    return _ended(int(status), float(used), memory == "1", limits, stderr)


def _ended(
    status: int, used: float, memory: bool, limits: Limits, stderr: str
) -> tuple[Verdict, str]:
    if status == 0:
        return Verdict.PASS, ""
    if memory:
        return Verdict.MEMORY, "it ran out of memory"
    if status > 0:
        said = stderr.strip().splitlines()
        return Verdict.FAIL, said[-1][:300] if said else f"it ended with status {status}"
    late = -status == signal.SIGKILL and used >= limits.seconds
    if -status == signal.SIGXCPU or late:
        return Verdict.TIMEOUT, _late(limits)
    return Verdict.ERROR, f"it was ended by {signal.Signals(-status).name}"


def _late(limits: Limits) -> str:
    return f"no end within {limits.seconds:g} seconds of processor time"
