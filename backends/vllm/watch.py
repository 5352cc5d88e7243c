"""Ends the engine's processes when this one is killed without a chance to do so itself."""

from __future__ import annotations

import subprocess

__all__ = ["Watch"]

_GRACE = 5
"""Seconds in which they may end by themselves."""

_SCRIPT = f"""
while read -r told; do
    [ "$told" = over ] && exit
    set -- "$@" "$told"
done
kill -TERM "$@"
sleep {_GRACE}
kill -KILL "$@"
"""


class Watch:
    """A shell that reads a pipe from this process: ids of processes to follow, then that all is
    well. The pipe's end without that says that this process is gone; vLLM's own would then wait
    for ever."""

    def __init__(self) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def follow(self, process: int) -> None:
        """End this one, too."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(b"%d\n" % process)
        self._shell.stdin.flush()

    def end(self) -> None:
        """The processes have ended. Idempotent."""
        assert self._shell.stdin is not None
        if not self._shell.stdin.closed:
            self._shell.communicate(b"over\n")
