"""Ends the engine's processes when this one is killed without a chance to do so itself."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

__all__ = ["Watch"]

_SCRIPT = 'read -r told || kill -TERM "$@"'


class Watch:
    """A shell that reads a pipe from this process: a line says that all is well, the pipe's end
    without one that this process is gone. vLLM's own processes would then wait for ever."""

    def __init__(self, processes: Sequence[int]) -> None:
        """`processes` are the ids of those that the others follow."""
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "watch", *map(str, processes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end(self) -> None:
        """The processes have ended. Idempotent."""
        assert self._shell.stdin is not None
        if not self._shell.stdin.closed:
            self._shell.communicate(b"over\n")
