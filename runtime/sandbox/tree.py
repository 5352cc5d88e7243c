"""A process and those below it, as the kernel tells."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["processor", "resident", "tree"]

_TICK = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """A process and all below it, itself first; those that end meanwhile may be missing."""
    found = [pid]
    for parent in found:
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
            for task in tasks:
                found += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
            continue
    return found


def resident(pid: int) -> int:
    """The pages of memory that a process holds; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


def processor(pid: int) -> float:
    """The seconds of processor time that a process took, with those below it that it has waited
    for; 0 if it is gone."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    # The name may hold anything, blanks and brackets included.
    fields = told[told.rindex(")") + 2 :].split()
    return sum(map(int, fields[11:15])) / _TICK
