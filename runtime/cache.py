"""The reply cache: what a model said to a request is kept, and not paid for twice.

A request has one key, over everything that decides its replies, and each of its draws a number:
asking for more draws later reuses the first. Replies that are there cost nothing; draws that are
just being asked for are waited for instead of asked again. Keys are hashes: prompts are not kept.
"""

from __future__ import annotations

import atexit
import threading
import time
from asyncio import Future, get_running_loop, shield
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from ..backends.base import Draw, Request
from .cacheerror import CacheError
from .cachefile import CacheFile, default_path
from .cachekey import key_seed, model_key, request_key
from .stored import Stored

__all__ = [
    "Cache",
    "CacheError",
    "InFlight",
    "Stored",
    "default_path",
    "key_seed",
    "model_key",
    "request_key",
]

_STALE = 60
"""Seconds after which a use is noted again."""
_NOTED = 1024
"""Uses that wait for the next write, at most."""
_BATCH = 256
_CHECK_SIZE = 1 << 20
"""Bytes written between two looks at the size."""

_Place: TypeAlias = tuple[bytes, int]
"""A request's key and the number of a draw."""
_Pending: TypeAlias = dict[_Place, tuple[int, Stored]]
"""Replies with when they were drawn."""
_Awaited: TypeAlias = tuple[Draw, Awaitable[Stored | None]]

Give: TypeAlias = "Callable[[Draw, Stored], None]"
Ask: TypeAlias = "Callable[[tuple[Draw, ...], Give], Awaitable[None]]"


class InFlight:
    """Who is asking for which draw just now, in one event loop."""

    def __init__(self) -> None:
        self._asked: dict[_Place, Future[Stored | None]] = {}

    def claim(self, key: bytes, number: int) -> Awaitable[Stored | None] | None:
        """None makes the caller the asker, who must `settle` or `release` the draw. For everyone
        else, what is going to be the reply, or None to claim again: the asker gave up."""
        asked = self._asked.get((key, number))
        if asked is not None:
            # Cancelling one of those who wait must not reach the others.
            return shield(asked)
        self._asked[key, number] = get_running_loop().create_future()
        return None

    def settle(self, key: bytes, number: int, reply: Stored) -> None:
        """The asker has the reply."""
        self._end(key, number, reply)

    def release(self, key: bytes, number: int) -> None:
        """The asker gives up: the first of those who wait asks in turn."""
        self._end(key, number, None)

    def _end(self, key: bytes, number: int, reply: Stored | None) -> None:
        self._asked.pop((key, number)).set_result(reply)


class Cache:
    """The replies of one file. For one event loop; other processes may use the file, too.

    A reply that was put can be read at once, and is written by a thread without delay. Replies
    older than `max_age` seconds are not used; beyond `max_bytes`, what was not used for longest is
    removed. Requests for which `keep_out` is true have no key, and so leave no trace.

    Raises `CacheError`. After one in writing, every call raises until `flush` has succeeded.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int | None = None,
        max_age: float | None = None,
        keep_out: Callable[[Request], bool] | None = None,
        patience: float = 10.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`patience` is how many seconds to wait for another process's lock; `now` the time of
        day."""
        self.path = path
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._keep_out = keep_out
        self._now = now
        self._in_flight = InFlight()
        self._reads = CacheFile(path, patience)
        try:
            self._writes = CacheFile(path, patience)
        except CacheError:
            self._reads.close()
            raise
        self._changed = threading.Condition()
        # Shared with the thread. The first two are read without the lock.
        self._pending: _Pending = {}
        self._failed: CacheError | None = None
        self._used: set[int] = set()
        self._trim_after = min(_CHECK_SIZE, (max_bytes or _CHECK_SIZE) // 16 or 1)
        self._untrimmed = self._trim_after
        self._flushing = False
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="polyarch-cache", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def key(self, model: bytes, request: Request, seed: int) -> bytes | None:
        """The `request_key`; None for a request to keep out."""
        if self._keep_out is not None and self._keep_out(request):
            return None
        return request_key(model, request, seed)

    def get(self, key: bytes, number: int) -> Stored | None:
        """The reply to a draw, if it is there."""
        return self.get_many(key, (number,)).get(number)

    def get_many(self, key: bytes, numbers: Sequence[int]) -> dict[int, Stored]:
        """The replies that are there to several draws of a request, and maybe to some between them,
        by number."""
        if self._failed is not None or self._ended:
            self._check()
        replies: dict[int, Stored] = {}
        if self._pending:
            for number in numbers:
                pending = self._pending.get((key, number))
                if pending is not None:
                    replies[number] = pending[1]
            if len(replies) == len(numbers):
                return replies
        found = self._reads.get(key, min(numbers), max(numbers))
        if found:
            now = int(self._now())
            expired = self._expired() or 0
            for number, row, used, made, reply in found:
                if made >= expired:
                    replies.setdefault(number, reply)
                    if now - used > _STALE:
                        self._note(row)
        return replies

    def put(self, key: bytes, number: int, reply: Stored) -> None:
        """Keep the reply to a draw; the first one stays."""
        self._check()
        with self._changed:
            self._pending.setdefault((key, number), (int(self._now()), reply))
            self._changed.notify_all()

    async def fetch(self, key: bytes, draws: tuple[Draw, ...], give: Give, ask: Ask) -> None:
        """Get the reply to every draw of a request; each is asked for once, however many want it.

        `give` is told what was not asked for here: replies in the file, and those that others asked
        for. `ask` asks for the draws it is handed, and tells the function it is handed what arrived
        and may be kept. If whoever asks for a draw fails or is cancelled, the next in line asks.
        """
        while draws:
            own, awaited = self._split(key, draws, give)
            if own:
                await self._ask(key, own, ask)
            draws = await _given(awaited, give)

    def flush(self) -> None:
        """Wait until all is written; once more, if it failed before. Blocks."""
        with self._changed:
            self._failed = None
            self._flushing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._failed or self._ended or not self._flushing)
            self._flushing = False
        self._check()

    def close(self) -> None:
        """Write what is not written, and close the file. Blocks. Idempotent."""
        atexit.unregister(self.close)
        try:
            if not self._ended:
                self.flush()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            self._thread.join()
            self._reads.close()
            self._writes.close()

    def _split(
        self, key: bytes, draws: tuple[Draw, ...], give: Give
    ) -> tuple[tuple[Draw, ...], list[_Awaited]]:
        """Give what is there, and claim the rest: the draws to ask for, and those that others ask
        for."""
        there = self.get_many(key, [draw.number for draw in draws])
        for draw in draws:
            if draw.number in there:
                give(draw, there[draw.number])
        own: list[Draw] = []
        awaited: list[_Awaited] = []
        for draw in draws:
            if draw.number not in there:
                asked = self._in_flight.claim(key, draw.number)
                if asked is None:
                    own.append(draw)
                else:
                    awaited.append((draw, asked))
        return tuple(own), awaited

    async def _ask(self, key: bytes, draws: tuple[Draw, ...], ask: Ask) -> None:
        claimed = {draw.number for draw in draws}

        def arrived(draw: Draw, reply: Stored) -> None:
            claimed.remove(draw.number)
            self._in_flight.settle(key, draw.number, reply)
            self.put(key, draw.number, reply)

        try:
            await ask(draws, arrived)
        finally:
            for number in claimed:
                self._in_flight.release(key, number)

    def _check(self) -> None:
        if self._failed is not None:
            raise CacheError(str(self._failed)) from self._failed
        if self._ended:
            raise CacheError(f"{self.path}: the cache is closed")

    def _expired(self) -> int | None:
        """What was drawn before is not used; None where nothing is too old."""
        return None if self._max_age is None else int(self._now() - self._max_age)

    def _note(self, row: int) -> None:
        with self._changed:
            self._used.add(row)
            if len(self._used) >= _NOTED:
                self._changed.notify_all()

    def _work(self) -> None:
        """The thread: write what is pending, as much at once as there is."""
        try:
            while (batch := self._next()) is not None:
                failed = self._try_to_write(*batch)
                with self._changed:
                    self._failed = failed
                    if failed is None:
                        for place in batch[0]:
                            del self._pending[place]
                        self._flushing = self._flushing and bool(self._pending or self._used)
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _next(self) -> tuple[_Pending, Sequence[int]] | None:
        """What to write next, and which rows were used; None at the end."""
        with self._changed:
            self._changed.wait_for(self._has_work)
            if self._ended:
                return None
            used = sorted(self._used)
            self._used.clear()
            return dict(islice(self._pending.items(), _BATCH)), used

    def _has_work(self) -> bool:
        if self._failed is not None:
            return self._ended
        return bool(
            self._ended
            or self._flushing
            or self._pending
            or len(self._used) >= _NOTED
            or self._untrimmed >= self._trim_after
        )

    def _try_to_write(self, pending: _Pending, used: Sequence[int]) -> CacheError | None:
        file = self._writes
        try:
            if pending:
                rows = [(*place, *drawn) for place, drawn in pending.items()]
                self._untrimmed += file.put(rows, self._expired() or 0)
            if used:
                file.touch(used, int(self._now()))
            if self._untrimmed >= self._trim_after:
                self._untrimmed = 0
                file.trim(expired=self._expired(), most=self._max_bytes)
        except CacheError as error:
            return error
        return None


async def _given(awaited: Sequence[_Awaited], give: Give) -> tuple[Draw, ...]:
    """Give what others asked for, in order; the draws that are left once one of them gave up."""
    for index, (draw, asked) in enumerate(awaited):
        reply = await asked
        if reply is None:
            return tuple(left for left, _ in awaited[index:])
        give(draw, reply)
    return ()
