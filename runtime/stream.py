"""Edges: places for candidates, filled on demand, read in index order, closed when enough was read.

The output of every step is a fixed row of places, as many as the plan allows at most. A reader
opens places a window ahead of what it has read; opening starts the work. A step on single
candidates starts on place i as soon as place i of its input is filled, whatever the others do, so
there are no barriers between layers; whoever decides reads in index order, so timing decides
nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from asyncio import FIRST_COMPLETED, Future, Task, get_running_loop, shield, sleep, wait
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Protocol, TypeAlias, TypeVar

from ..compiler.errors import RunError
from ..compiler.values import Candidate

__all__ = ["Arrivals", "Decided", "Drawn", "Inputs", "Mapped", "Reader", "Row", "Work"]

T = TypeVar("T")

Filled: TypeAlias = "Candidate | None"
"""What ends up in a place: a candidate, or nothing (dropped upstream, or fewer than the most)."""


Deliver: TypeAlias = Callable[[int, Candidate], None]
"""Told of a draw that has finished."""


class Work(Protocol):
    """What a step does to fill its places; `runtime.executor` has it."""

    def spawn(self, work: Coroutine[Any, Any, T]) -> Task[T]:
        """Start a task within the question's task group."""

    def draw(self, index: int) -> Coroutine[Any, Any, Filled]:
        """Ask for one draw of a source; nothing, if it was lost and may be."""

    async def draw_together(self, draws: range, deliver: Deliver) -> None:
        """Ask for these draws of a source in one request; deliver each as it finishes, but for
        those that were lost and may be."""

    async def one(self, place: int, candidate: Candidate) -> Filled:
        """What a step on single candidates makes of one."""

    def decide(self, reader: Reader) -> AsyncIterator[Candidate]:
        """What a deciding step makes of what it reads."""

    def made(self, place: int, candidate: Candidate) -> None:
        """A place was filled with a candidate."""

    def rescued(self, error: Exception, read: Sequence[Candidate]) -> Sequence[Candidate]:
        """What a deciding step gives after an error. Raises the error, with the step's name, unless
        the pipeline says how to go on."""

    def closed(self, read: int, opened: int) -> None:
        """All readers closed before everything was read."""

    def released(self) -> None:
        """All readers closed: nothing more is wanted of the step."""


class Row(ABC):
    """The places of one step's output.

    `readers` many will each close it once; the last one stops the work that is still under way.
    """

    __slots__ = ("_places", "_readers", "_work", "opened", "read", "size")

    def __init__(self, size: int, readers: int, work: Work) -> None:
        self.size = size
        self.read = 0
        self.opened = 0
        self._readers = readers
        self._work = work
        self._places: list[Future[Filled] | None] = [None] * size

    @property
    def shared(self) -> bool:
        """Whether more than one reader has not closed it yet."""
        return self._readers > 1

    def open(self, index: int) -> Future[Filled]:
        """Start the work for a place, once; what it will hold."""
        return self._places[index] or self._start(index)

    def take(self, index: int) -> Awaitable[Filled]:
        """What a place holds, for a reader that is a task of its own: without another task where
        nobody else reads it."""
        if self._readers > 1:
            return shield(self.open(index))
        if self._places[index] is None and self._alone(index):
            self.opened += 1
            return self._make(index)
        return self.open(index)

    def close(self, read: int) -> None:
        """One reader has read so many places and wants no more."""
        self.read = max(self.read, read)
        self._readers -= 1
        if self._readers:
            return
        if self.read < self.size:
            self._work.closed(self.read, self.opened)
        self._stop()
        self._work.released()

    def _start(self, index: int) -> Future[Filled]:
        """Start the work for a place nobody opened before."""
        self.opened += 1
        place = self._places[index] = self._work.spawn(self._make(index))
        return place

    def _alone(self, index: int) -> bool:
        """Whether the place can be made without the others."""
        return True

    @abstractmethod
    def _make(self, index: int) -> Coroutine[Any, Any, Filled]:
        """Do the work for one place."""

    def _stop(self) -> None:
        for place in self._places:
            if place is not None and not place.done():
                place.cancel()


class Inputs:
    """One or several rows, read as one: the second begins where the first ends."""

    __slots__ = ("_parts", "_single", "size")

    def __init__(self, rows: list[Row]) -> None:
        self._single = rows[0] if len(rows) == 1 else None
        self._parts: list[tuple[int, Row]] = []
        self.size = 0
        for row in rows:
            self._parts.append((self.size, row))
            self.size += row.size

    def open(self, index: int) -> Future[Filled]:
        """Start the work for a place."""
        row, local = self._find(index)
        return row.open(local)

    def take(self, index: int) -> Awaitable[Filled]:
        """What a place holds."""
        if self._single is not None:
            return self._single.take(index)
        row, local = self._find(index)
        return row.take(local)

    def shared(self, index: int) -> bool:
        """Whether somebody else reads that place, too."""
        return self._find(index)[0].shared

    @property
    def parts(self) -> int:
        """How many rows there are."""
        return len(self._parts)

    def part(self, index: int) -> int:
        """Which row a place belongs to."""
        if self._single is not None:
            return 0
        starts = (place for place, (start, _) in enumerate(self._parts) if start <= index)
        return max(starts, default=0)

    def end(self, index: int) -> int:
        """Where the row that a place belongs to ends."""
        start, row = self._parts[self.part(index)]
        return start + row.size

    def close(self, read: int) -> None:
        """Close every row, as read so far."""
        for start, row in self._parts:
            row.close(min(max(read - start, 0), row.size))

    def _find(self, index: int) -> tuple[Row, int]:
        if self._single is not None:
            return self._single, index
        for start, row in reversed(self._parts):
            if index >= start:
                return row, index - start
        raise IndexError(index)


class Reader:
    """The stream that a deciding step reads: candidates in index order, a window ahead.

    With `apart`, nothing of a row is opened before the one before it is read.
    """

    __slots__ = ("_ahead", "_apart", "_closed", "_inputs", "_next", "_places", "_window", "seen")

    def __init__(self, inputs: Inputs, window: int | None, apart: bool = False) -> None:
        self.seen: list[Candidate] = []
        """What was read so far."""
        self._inputs = inputs
        self._window = inputs.size if window is None else window
        self._apart = apart and inputs.parts > 1
        self._places: list[Future[Filled]] = []
        self._next = 0
        self._ahead = 0
        self._closed = False

    def __aiter__(self) -> AsyncIterator[Candidate]:
        return self

    async def __anext__(self) -> Candidate:
        inputs = self._inputs
        while not self._closed and self._next < inputs.size:
            index = self._next
            end = inputs.end(index) if self._apart else inputs.size
            for ahead in range(self._ahead, min(index + self._window, end)):
                self._places.append(inputs.open(ahead))
                self._ahead = ahead + 1
            place = self._places[index]
            if place.done():
                filled = place.result()
            else:
                filled = await (shield(place) if inputs.shared(index) else place)
            self._next = index + 1
            if filled is not None:
                self.seen.append(filled)
                return filled
        self.close()
        raise StopAsyncIteration

    @property
    def left(self) -> int:
        """How many candidates may still come, at most."""
        return 0 if self._closed else self._inputs.size - self._next

    @property
    def part(self) -> int:
        """Which row the last candidate came from; 0 before the first."""
        return self._inputs.part(max(0, self._next - 1))

    @property
    def parts(self) -> int:
        """How many rows are read."""
        return self._inputs.parts

    async def aclose(self) -> None:
        """Enough was read."""
        self.close()

    async def all(self) -> list[Candidate]:
        """Everything, once it is there."""
        return [candidate async for candidate in self]

    def close(self) -> None:
        """Enough was read. Idempotent."""
        if not self._closed:
            self._closed = True
            self._inputs.close(self._next)


class Arrivals(Reader):
    """The stream of a race: candidates as they arrive; those of one instant in index order."""

    __slots__ = ("_furthest", "_last", "_pending")

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs, None)
        self._pending: dict[int, Future[Filled]] | None = None
        self._last = 0
        self._furthest = 0

    async def __anext__(self) -> Candidate:
        inputs = self._inputs
        if self._pending is None and not self._closed:
            self._pending = {place: inputs.open(place) for place in range(inputs.size)}
        while self._pending and not self._closed:
            arrived = next((at for at, place in self._pending.items() if place.done()), None)
            if arrived is None:
                await wait(self._pending.values(), return_when=FIRST_COMPLETED)
                # Those that end at this instant are all let in before one is taken.
                await sleep(0)
                continue
            filled = self._pending.pop(arrived).result()
            self._last = arrived
            self._furthest = max(self._furthest, arrived + 1)
            self._next += 1
            if filled is not None:
                self.seen.append(filled)
                return filled
        self.close()
        raise StopAsyncIteration

    @property
    def part(self) -> int:
        """Which row the last candidate came from."""
        return self._inputs.part(self._last)

    def close(self) -> None:
        """Enough has arrived. Idempotent."""
        if not self._closed:
            self._closed = True
            self._inputs.close(self._furthest)


class Drawn(Row):
    """The places of a source. The draws of one request fill their places as they finish."""

    __slots__ = ("_request_of", "_tasks")

    def __init__(self, size: int, readers: int, work: Work, request_of: tuple[range, ...]) -> None:
        """`request_of` gives for every draw those asked for together."""
        super().__init__(size, readers, work)
        self._request_of = request_of
        self._tasks: list[Task[None]] = []

    def _alone(self, index: int) -> bool:
        return len(self._request_of[index]) == 1

    def _start(self, index: int) -> Future[Filled]:
        draws = self._request_of[index]
        if len(draws) == 1:
            return super()._start(index)
        loop = get_running_loop()
        places: dict[int, Future[Filled]] = {draw: loop.create_future() for draw in draws}
        for draw, place in places.items():
            self._places[draw] = place
        self.opened += len(draws)
        self._tasks.append(self._work.spawn(self._fill(draws, places)))
        return places[index]

    def _make(self, index: int) -> Coroutine[Any, Any, Filled]:
        return self._work.draw(index)

    async def _fill(self, draws: range, places: dict[int, Future[Filled]]) -> None:
        def deliver(draw: int, candidate: Candidate) -> None:
            if not places[draw].done():
                places[draw].set_result(candidate)

        await self._work.draw_together(draws, deliver)
        for place in places.values():
            if not place.done():
                place.set_result(None)

    def _stop(self) -> None:
        super()._stop()
        for task in self._tasks:
            task.cancel()


class Mapped(Row):
    """The places of a step on single candidates: place i is made from place i of its input."""

    __slots__ = ("_inputs",)

    def __init__(self, readers: int, work: Work, inputs: Inputs) -> None:
        super().__init__(inputs.size, readers, work)
        self._inputs = inputs

    async def _make(self, index: int) -> Filled:
        given = await self._inputs.take(index)
        return None if given is None else await self._work.one(index, given)

    def _stop(self) -> None:
        super()._stop()
        self._inputs.close(self.read)


class Decided(Row):
    """The places of a deciding step: filled by its run, in order, no further than opened."""

    __slots__ = ("_driver", "_reader", "_wake")

    def __init__(self, size: int, readers: int, work: Work, reader: Reader) -> None:
        super().__init__(size, readers, work)
        self._reader = reader
        self._driver: Task[None] | None = None
        self._wake: Future[None] | None = None

    def _alone(self, index: int) -> bool:
        return self.size == 1

    async def _make(self, index: int) -> Filled:
        made: Filled = None
        async for _, candidate in self._deciding():
            made = candidate
        return made

    def _start(self, index: int) -> Future[Filled]:
        if self.size == 1:
            return super()._start(index)
        self.opened += 1
        place: Future[Filled] = get_running_loop().create_future()
        self._places[index] = place
        if self._driver is None:
            self._driver = self._work.spawn(self._drive())
        elif self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        return place

    async def _drive(self) -> None:
        filled = 0
        async with aclosing(self._deciding()) as deciding:
            async for index, candidate in deciding:
                await self._put(index, candidate)
                filled = index + 1
        for rest in range(filled, self.size):
            await self._put(rest, None)

    async def _deciding(self) -> AsyncGenerator[tuple[int, Candidate], None]:
        """What the step decides, numbered."""
        work, index = self._work, 0
        decided = work.decide(self._reader)
        try:
            async for candidate in decided:
                if index == self.size:
                    raise RunError(f"gave more than the {index} candidates that its flow promises")
                work.made(index, candidate)
                yield index, candidate
                index += 1
        except Exception as error:  # noqa: BLE001 -- anybody's operator; the step's name is added
            for candidate in work.rescued(error, self._reader.seen)[index : self.size]:
                work.made(index, candidate)
                yield index, candidate
                index += 1
        finally:
            # Left to the garbage collector, it would be closed by a task that outlives the run.
            if isinstance(decided, AsyncGenerator):
                await decided.aclose()
        self._reader.close()

    async def _put(self, index: int, filled: Filled) -> None:
        while (place := self._places[index]) is None:
            self._wake = get_running_loop().create_future()
            await self._wake
        if not place.done():
            place.set_result(filled)

    def _stop(self) -> None:
        super()._stop()
        if self._driver is not None:
            self._driver.cancel()
        self._reader.close()
