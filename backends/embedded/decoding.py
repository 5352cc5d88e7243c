"""Turn the tokens of one draw into text: bytes to characters, stop strings, an end."""

from __future__ import annotations

import codecs

__all__ = ["TextStream"]


class TextStream:
    """Text of a draw as it grows; holds back what may be the beginning of a stop string."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False
        """Whether a stop string was met; it and all after it are never released."""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Take bytes, release text. ``final`` releases what was held back."""
        self._held += self._decoder.decode(data, final)
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            released, self._held = self._held[: min(found)], ""
            return released
        keep = 0 if final else self._undecided()
        cut = len(self._held) - keep
        released, self._held = self._held[:cut], self._held[cut:]
        return released

    def _undecided(self) -> int:
        """Length of the longest tail that begins a stop string."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            tail = self._held[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0
