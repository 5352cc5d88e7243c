"""Server-sent events: bytes, however they were cut, to the data of each event."""

from __future__ import annotations

from .faults import Faults

__all__ = ["Events"]

_OTHER = (b":", b"event:", b"id:", b"retry:", b"data")
"""How the lines begin that say nothing here: comments and other fields."""


class Events:
    """Cuts a stream into the data of its events. Sans-I/O.

    Server-sent events, WHATWG HTML, section 9.2; stricter in that a line that is no field at all is
    an error: it is the page of a proxy, not a stream.
    """

    __slots__ = ("_faults", "_lines", "_rest")

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._rest = b""
        self._lines: list[bytes] = []

    def feed(self, block: bytes) -> list[bytes]:
        """The events that end with this block. Raises `ServerFailed`."""
        lines = (self._rest + block if self._rest else block).split(b"\n")
        self._rest = lines.pop()
        events = []
        for line in lines:
            if line.endswith(b"\r"):
                line = line[:-1]
            if line.startswith(b"data:"):
                self._lines.append(line[5:])
            elif not line:
                if self._lines:
                    events.append(b"\n".join(self._lines))
                    self._lines = []
            elif not line.startswith(_OTHER):
                told = line[:80].decode(errors="replace")
                raise self._faults.unreadable(f"sent a line that is no event: {told!r}")
        return events

    def end(self) -> list[bytes]:
        """The stream is over: an event that nothing but its blank line was missing from."""
        return self.feed(b"\n\n")
