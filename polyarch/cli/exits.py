"""How polyarch ends."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Exit"]


class Exit(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    """All that was asked for is done; of a server, that SIGTERM ended it in order."""
    FAILED = 1
    """An error, told on standard error; or `doctor` missed something that the pipeline needs."""
    USAGE = 2
    """The command was not written as its help says; nothing was done."""
    STOPPED = 130
    """Stopped with Ctrl-C: 128 and the number of SIGINT."""
