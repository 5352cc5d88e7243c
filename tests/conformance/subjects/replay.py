"""Recorded draws: eight of one model for one question."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from conformance.subject import Opened, Subject

from polyarch.backends.base import ModelInfo, Piece, Request
from polyarch.backends.recorded import Recording
from polyarch.backends.replay import OFFERS, Replay

__all__ = ["SUBJECTS"]

_DRAWN = {
    ("q", n): Recording(
        item="q",
        model="m",
        sample=n,
        text=f"This is draw {n} of the question",
        prompt_tokens=11,
        completion_tokens=9,
        # The last is what takes long.
        latency_s=3600.0 if n == 8 else 0.0,
    )
    for n in range(9)
}
_INFO = ModelInfo(1 << 20, 1 << 16, OFFERS, max_draws=1 << 16, roles=frozenset({"solve"}))


class _Watched(Replay):
    """Counts the requests under way, since nothing outside works for a recording."""

    under_way = 0

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        self.under_way += 1
        try:
            async with aclosing(super().generate(request)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self.under_way -= 1


@asynccontextmanager
async def _opened() -> AsyncIterator[Opened]:
    backend = _Watched("m", _DRAWN, latency=True)
    yield Opened(backend, busy=lambda: backend.under_way)


SUBJECTS = (
    Subject(
        "replay",
        "m",
        _INFO,
        _opened,
        question="q",
        endless_draws=9,
        cuts=False,
        bounded=False,
    ),
)
