"""What a request received and spent so far."""

from __future__ import annotations

from collections.abc import Callable

from ..backends.base import Piece
from ..compiler.errors import ServerFailed
from ..compiler.op import Reply
from ..compiler.values import Usage
from .models import Model

__all__ = ["Meter"]


_NONE = Usage()


class Meter:
    """What a request received and spent so far. The prompt is charged to the first of its draws,
    whichever finishes first."""

    # Plain dictionaries of plain values: the garbage collector leaves them alone.
    __slots__ = ("_cached", "_first", "_model", "_prompt", "_texts", "_tokens", "sent", "usage")

    def __init__(self, model: Model, draws: range) -> None:
        self.sent: float | None = None
        """When the request was sent, None while it waits."""
        self.usage = _NONE
        self._model = model
        self._first = draws[0]
        self._texts = dict.fromkeys(draws, "")
        self._tokens = dict.fromkeys(draws, 0)
        self._prompt = 0
        self._cached = 0

    def add(self, piece: Piece, now: Callable[[], float]) -> Reply | None:
        """Count a piece; the reply, if it finishes a draw."""
        index = piece.draw
        if piece.prompt_tokens:
            self._prompt += piece.prompt_tokens
            self._cached += piece.cached_tokens
        self._tokens[index] += piece.completion_tokens
        if piece.text:
            self._texts[index] += piece.text
        if not piece.finish:
            return None
        spent = self._spent(index, now() - (self.sent or 0.0))
        return Reply(index, self._texts.pop(index), self._model.name, piece.finish, spent)

    def check(self) -> None:
        """Raise `ServerFailed` if the backend ended without finishing every draw."""
        if self._texts:
            first = min(self._texts)
            raise ServerFailed(f"{self._model.name} ended without finishing draw {first}")

    def unfinished(self) -> list[tuple[int, Usage]]:
        """What draws cost that the request was closed upon; nothing if it was never sent."""
        if self.sent is None:
            return []
        return [(index, self._spent(index, 0.0)) for index in self._texts]

    def _spent(self, index: int, seconds: float) -> Usage:
        tokens = self._tokens[index]
        prompt, cached = (self._prompt, self._cached) if index == self._first else (0, 0)
        usd = self._model.price.usd(prompt, tokens, cached)
        spent = Usage(1, prompt, cached, tokens, usd, seconds)
        self.usage = self.usage + spent if self.usage.calls else spent
        return spent
