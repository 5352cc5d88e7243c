"""Edges: index order, no barriers, exact windows, closing that reaches just the source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import pytest
from sim import compiled, simulate, solo, steady

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.answers import Answer
from polyarch.compiler.values import Candidate, Origin
from polyarch.runtime.stream import Decided, Drawn, Inputs, Mapped, Reader, Row
from polyarch.runtime.virtual import run

T = TypeVar("T")


class Hands:
    """The work of a step, by hand: draws take as long as told, and it remembers what happened."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        latency: Callable[[int], float] = lambda place: 1.0,
        *,
        drop: frozenset[int] = frozenset(),
        gives: int = 0,
        read: int | None = None,
    ) -> None:
        self.group = group
        self.latency = latency
        self.drop = drop
        self.gives = gives
        self.read = read
        self.started: list[tuple[float, int]] = []
        self.ended: list[tuple[float, int]] = []
        self.cancelled: list[int] = []
        self.told: list[tuple[int, int]] = []
        self.seen: list[str] = []
        self.finished = False

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return self.group.create_task(work)

    async def _work(self, place: int) -> None:
        self.started.append((self.now, place))
        try:
            await asyncio.sleep(self.latency(place))
        except asyncio.CancelledError:
            self.cancelled.append(place)
            raise
        self.ended.append((self.now, place))

    async def draw(self, index: int) -> Candidate:
        await self._work(index)
        return candidate(f"d{index}", index)

    async def draw_together(self, draws: range, deliver: Callable[[int, Candidate], None]) -> None:
        async def one(place: int) -> None:
            deliver(place, await self.draw(place))

        await asyncio.gather(*map(one, draws))

    async def one(self, place: int, given: Candidate) -> Candidate | None:
        await self._work(place)
        return None if place in self.drop else candidate(f"{given.text}+", place)

    async def decide(self, reader: Reader) -> AsyncIterator[Candidate]:
        try:
            async for given in reader:
                self.seen.append(given.text)
                if len(self.seen) == self.read:
                    await reader.aclose()
            for place in range(self.gives):
                self.started.append((self.now, place))
                yield candidate(f"k{place}", place)
        finally:
            self.finished = True

    def made(self, place: int, made: Candidate) -> None:
        pass

    def rescued(self, error: Exception, read: Sequence[Candidate]) -> Sequence[Candidate]:
        raise error

    def released(self) -> None:
        """Nothing more is wanted."""

    def closed(self, read: int, opened: int) -> None:
        self.told.append((read, opened))


def candidate(text: str, index: int) -> Candidate:
    return Candidate(text, Answer(text, "exact"), Origin("s", index))


def alone(size: int) -> tuple[range, ...]:
    return tuple(range(i, i + 1) for i in range(size))


def chunked(size: int, chunk: int) -> tuple[range, ...]:
    return tuple(range(i - i % chunk, min(size, i - i % chunk + chunk)) for i in range(size))


def within(body: Callable[[asyncio.TaskGroup], Awaitable[T]]) -> T:
    """Run in a task group and in virtual time; nothing may be left."""

    async def main() -> T:
        async with asyncio.TaskGroup() as group:
            told = await body(group)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return told

    return run(main())


async def texts(reader: Reader, most: int | None = None) -> list[str]:
    told: list[str] = []
    async for made in reader:
        told.append(made.text)
        if len(told) == most:
            break
    reader.close()
    return told


def test_candidates_come_in_index_order_whatever_finishes_first() -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        hands = Hands(group, lambda place: 10.0 - place)
        row = Drawn(6, 1, hands, alone(6))
        assert await texts(Reader(Inputs([row]), None)) == [f"d{i}" for i in range(6)]
        assert [place for _, place in hands.ended] == [5, 4, 3, 2, 1, 0]
        assert hands.told == []

    within(body)


@pytest.mark.parametrize("chunk", [1, 2, 3, 6])
def test_there_is_no_barrier_between_layers(chunk: int) -> None:
    """The slowest draw comes first; the second layer works on the others meanwhile."""

    async def body(group: asyncio.TaskGroup) -> None:
        hands = Hands(group, lambda place: 9.0 if place == 0 else 1.0)
        after = Hands(group, lambda place: 2.0)
        row: Row = Drawn(6, 1, hands, chunked(6, chunk))
        mapped = Mapped(1, after, Inputs([row]))
        assert await texts(Reader(Inputs([mapped]), None)) == [f"d{i}+" for i in range(6)]
        assert sorted(after.started) == [(1.0, i) for i in range(1, 6)] + [(9.0, 0)]
        assert after.now == 11.0

    within(body)


@pytest.mark.parametrize("window", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("stop", [1, 3, 8])
def test_a_window_is_kept_exactly(window: int, stop: int) -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        # No two end at once: what is opened by the last read has begun.
        hands = Hands(group, lambda place: 1 + place / 64)
        row = Drawn(8, 1, hands, alone(8))
        reader = Reader(Inputs([row]), window)
        assert await texts(reader, stop) == [f"d{i}" for i in range(stop)]
        assert row.opened == min(8, stop - 1 + window)
        await asyncio.sleep(100)
        assert len(hands.started) == min(8, stop - 1 + window)
        ends = {place: at for at, place in hands.ended}
        for at, place in hands.started:
            assert at == (ends[place - window] if place >= window else 0.0)
        assert hands.told == ([(stop, row.opened)] if stop < 8 else [])

    within(body)


@pytest.mark.parametrize("chunk", [1, 4])
def test_closing_cancels_all_the_way_up(chunk: int) -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        hands = Hands(group, lambda place: 1.0 if place < 2 else 50.0)
        after = Hands(group, lambda place: 1.0)
        row = Drawn(8, 1, hands, chunked(8, chunk))
        mapped = Mapped(1, after, Inputs([row]))
        assert await texts(Reader(Inputs([mapped]), None), 2) == ["d0+", "d1+"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sorted(hands.cancelled) == [2, 3, 4, 5, 6, 7]
        assert after.now == 2.0
        assert hands.told == [(2, 8)]
        assert after.told == [(2, 8)]

    within(body)


def test_closing_is_idempotent_and_ends_the_stream() -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        hands = Hands(group)
        reader = Reader(Inputs([Drawn(4, 1, hands, alone(4))]), 2)
        assert reader.left == 4
        await anext(reader)
        assert reader.left == 3
        await reader.aclose()
        await reader.aclose()
        reader.close()
        assert reader.left == 0
        assert await reader.all() == []
        assert len(hands.told) == 1

    within(body)


def test_what_another_reads_goes_on() -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        hands = Hands(group, lambda place: 1.0 + place)
        row = Drawn(6, 2, hands, alone(6))
        first, second = Reader(Inputs([row]), None), Reader(Inputs([row]), None)
        assert await texts(first, 2) == ["d0", "d1"]
        assert hands.cancelled == []
        assert await texts(second, 4) == ["d0", "d1", "d2", "d3"]
        await asyncio.sleep(0)
        assert hands.cancelled == [4, 5]
        assert hands.told == [(4, 6)]
        assert len(hands.started) == 6

    within(body)


def test_a_reader_that_is_cancelled_does_not_take_shared_work_along() -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        hands = Hands(group, lambda place: 5.0)
        quick, slow = Hands(group, lambda place: 0.0), Hands(group, lambda place: 0.0)
        row = Drawn(2, 2, hands, alone(2))
        one, other = Mapped(1, quick, Inputs([row])), Mapped(1, slow, Inputs([row]))
        gone, stays = Reader(Inputs([one]), None), Reader(Inputs([other]), None)
        waiting = group.create_task(texts(gone))
        reading = group.create_task(texts(stays))
        await asyncio.sleep(1)
        waiting.cancel()
        gone.close()
        assert await reading == ["d0+", "d1+"]
        assert hands.cancelled == []
        assert quick.ended == []

    within(body)


def test_dropped_candidates_leave_no_gap() -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        hands, after, last = Hands(group), Hands(group, drop=frozenset({0, 2, 5})), Hands(group)
        row = Drawn(6, 1, hands, alone(6))
        mapped = Mapped(1, after, Inputs([row]))
        again = Mapped(1, last, Inputs([mapped]))
        assert await texts(Reader(Inputs([again]), 2)) == ["d1++", "d3++", "d4++"]
        assert [place for _, place in last.started] == [1, 3, 4]

    within(body)


def test_several_inputs_are_read_one_after_the_other() -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        late, early = Hands(group, lambda place: 9.0), Hands(group)
        one, other = Drawn(2, 1, late, alone(2)), Drawn(3, 1, early, chunked(3, 3))
        both = Inputs([one, other])
        assert both.size == 5
        reader = Reader(both, None)
        assert await texts(reader, 3) == ["d0", "d1", "d0"]
        assert late.told == []
        assert early.told == [(1, 3)]

    within(body)


def test_an_input_that_was_never_reached_is_closed_unread() -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        first, second = Hands(group), Hands(group)
        one, other = Drawn(2, 1, first, alone(2)), Drawn(3, 1, second, alone(3))
        assert await texts(Reader(Inputs([one, other]), 1), 1) == ["d0"]
        assert first.told == [(1, 1)]
        assert second.told == [(0, 0)]
        assert second.started == []

    within(body)


def test_a_step_that_decides_goes_no_further_than_it_is_read() -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        hands, decides = Hands(group), Hands(group, gives=5)
        row = Drawn(3, 1, hands, alone(3))
        decided = Decided(5, 1, decides, Reader(Inputs([row]), None))
        reader = Reader(Inputs([decided]), 1)
        assert (await anext(reader)).text == "k0"
        await asyncio.sleep(10)
        # One is made ahead, and waits to be wanted.
        assert [place for _, place in decides.started] == [0, 1]
        assert (await anext(reader)).text == "k1"
        reader.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert decides.finished
        assert [place for _, place in decides.started] == [0, 1, 2]
        assert decides.told == [(2, 2)]
        assert decides.seen == ["d0", "d1", "d2"]

    within(body)


def test_fewer_than_promised_leaves_empty_places() -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        hands, decides = Hands(group), Hands(group, gives=2, read=1)
        row = Drawn(3, 1, hands, alone(3))
        decided = Decided(4, 1, decides, Reader(Inputs([row]), 1))
        assert await texts(Reader(Inputs([decided]), None)) == ["k0", "k1"]
        assert decides.seen == ["d0"]
        assert hands.told == [(1, 1)]

    within(body)


@pytest.mark.parametrize("size", [1, 3])
def test_more_than_promised_is_an_error(size: int) -> None:
    async def body(group: asyncio.TaskGroup) -> None:
        hands, decides = Hands(group), Hands(group, gives=size + 1)
        row = Drawn(1, 1, hands, alone(1))
        decided = Decided(size, 1, decides, Reader(Inputs([row]), None))
        await texts(Reader(Inputs([decided]), None))

    with pytest.raises(ExceptionGroup) as caught:
        within(body)
    assert f"more than the {size} candidates" in str(caught.value.exceptions[0])


def test_a_whole_pipeline_has_no_barriers() -> None:
    """Sixteen drafts of 1 to 16 seconds, verdicts of 1: done in 17, not in 16 + 1 after all."""
    text = """\
name: p
models: {m: {model: scripted/x, max_draws: 1}}
answer: number
steps:
  drafts: {op: generate, n: 16}
  checked: {op: verify}
  answer: {op: vote, weight: verify}
"""

    def latency(request: Request, draw: Draw) -> float:
        return 16.0 - draw.index if request.step == "drafts" else 1.0

    result, backend = solo(text, steady, latency)
    asked = {e.place: e.at for e in result.trace if e.what == "asked" and e.step == "checked"}
    assert asked == {place: 16.0 - place for place in range(16)}
    assert result.seconds == 17.0
    assert backend.log.most_under_way == 16


def test_shared_work_is_done_once_and_both_readers_see_all() -> None:
    text = """\
name: p
models: {m: {model: scripted/x, max_draws: 1}}
answer: number
steps:
  drafts: {op: generate, n: 6}
  early: {op: vote, stop_at: exact, ahead: 1}
  all: {op: rank, from: drafts, keep: 2}
  answer: {op: vote, from: [early, all]}
"""

    def reply(request: Request, draw: Draw) -> str | Script:
        return steady(request, draw)

    result, backend = solo(text, reply, lambda request, draw: float(draw.index))
    assert backend.log.asked == 6 + 2
    assert backend.log.cancelled == 0
    assert result.best is not None
    assert result.best.notes["votes"] == [["4", 3]]
    assert not [e for e in result.trace if e.what == "closed"]


def test_several_listeners_see_the_same_events() -> None:
    one: list[object] = []
    other: list[object] = []
    plan = compiled("name: p\nmodels: {m: scripted/x}\nsteps: {a: {op: generate}}\n")
    result = simulate(plan, {"m": Scripted(steady)}, listeners=[one.append, other.append])
    assert one == other == list(result.trace)
    assert [e.what for e in result.trace] == ["started", "asked", "drew", "made", "ended"]
