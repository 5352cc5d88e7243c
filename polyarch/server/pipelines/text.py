"""The text of one choice, told in parts and cut where the client wants it to end."""

from __future__ import annotations

from ...compiler.values import Candidate

__all__ = ["Text"]


class Text:
    """A text of which some was told. Never tells what stands behind one of `stop`, nor that."""

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._stop = tuple(filter(None, stop))
        # So many characters at the end of what was written may begin one of them.
        self._held = max(map(len, self._stop), default=1) - 1
        self._written = ""
        self.told = 0
        """Characters that were told."""

    def more(self, part: str) -> str:
        """What can be told now that this was written, too."""
        self._written += part
        end = self._end(self._written)
        return self._tell(self._written, len(self._written) - self._held if end is None else end)

    def rest(self, candidate: Candidate) -> tuple[str, str]:
        """What is left to tell of the text that was decided, and how it ends: `length` where what
        was told is the beginning of another text that did not come to its end."""
        whole, end = candidate.text, self._end(candidate.text)
        if whole[: self.told] != self._written[: self.told]:
            return "", "length"
        left = self._tell(whole, len(whole) if end is None else end)
        return left, candidate.finish if end is None else "stop"

    def _tell(self, whole: str, until: int) -> str:
        part = whole[self.told : max(until, self.told)]
        self.told += len(part)
        return part

    def _end(self, whole: str) -> int | None:
        """Where the first of `stop` begins."""
        met = [at for stop in self._stop if (at := whole.find(stop)) >= 0]
        return min(met, default=None)
