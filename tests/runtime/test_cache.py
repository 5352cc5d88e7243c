"""Replies are kept, found again, shared in flight, and never mistaken for another."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache as once
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyarch.backends.base import Draw, Request
from polyarch.cli import cli
from polyarch.compiler.spec import ModelSpec
from polyarch.compiler.values import Image, Message, Purpose, TokenLogprob, Tool, ToolCall
from polyarch.runtime.cache import (
    Cache,
    CacheError,
    InFlight,
    Stored,
    default_path,
    key_seed,
    model_key,
    request_key,
)
from polyarch.runtime.cachefile import CacheFile, clear
from polyarch.runtime.virtual import run

MODEL = model_key(ModelSpec(model="openai/x"))
KEY = b"k" * 32
OTHER = b"o" * 32

MODEL_WAS = "3e3f73716f6ec22d"
REQUEST_WAS = "bdad2a03c87b92fb"
SEED_WAS = 1961501323023729156


def request(text: str = "What is 2 + 2?", draws: int = 1) -> Request:
    return Request(
        "m",
        (Message("system", "Be brief."), Message("user", text)),
        Purpose("solve", text),
        tuple(Draw(i, i, 7 * i) for i in range(draws)),
        max_tokens=64,
    )


def draws(*numbers: int) -> tuple[Draw, ...]:
    return tuple(Draw(100 + number, number, 0) for number in numbers)


def said(number: int) -> Stored:
    return Stored(f"reply number {number}", "stop", 10, 2, 3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "replies.sqlite"


@pytest.fixture
def cache(file: Path) -> Iterator[Cache]:
    opened = Cache(file, patience=0.2)
    yield opened
    opened.close()


# Keeping and finding


def test_a_reply_is_there_at_once_and_after_reopening(file: Path):
    cache = Cache(file)
    cache.put(KEY, 3, said(3))
    assert cache.get(KEY, 3) == said(3)
    cache.close()
    cache = Cache(file)
    assert cache.get(KEY, 3) == said(3)
    assert cache.get(KEY, 2) is None
    assert cache.get(OTHER, 3) is None
    cache.close()


TEXTS = st.text(st.characters(), max_size=4)
LOGS = st.floats(max_value=0, allow_nan=False)  # minus infinity is among them
TOKENS = st.lists(
    st.builds(TokenLogprob, TEXTS, LOGS, st.lists(st.tuples(TEXTS, LOGS), max_size=2).map(tuple)),
    max_size=3,
).map(tuple)


@given(
    text=st.text(st.characters(), max_size=50),
    finish=st.sampled_from(["stop", "length", "content"]),
    reasoning=st.text(st.characters(), max_size=5),
    tokens=st.integers(0, 1 << 40),
    logprobs=TOKENS,
    prompt_logprobs=TOKENS,
    calls=st.lists(st.builds(ToolCall, TEXTS, TEXTS, TEXTS), max_size=2).map(tuple),
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3).map(tuple),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_reply_comes_back_as_it_was(
    cache: Cache,
    text: str,
    finish: str,
    reasoning: str,
    tokens: int,
    logprobs: tuple[TokenLogprob, ...],
    prompt_logprobs: tuple[TokenLogprob, ...],
    calls: tuple[ToolCall, ...],
    values: tuple[float, ...],
):
    key = os.urandom(32)
    beside = (reasoning, logprobs, prompt_logprobs, calls, values)
    reply = Stored(text, finish, tokens, tokens // 2, tokens // 3, *beside)
    cache.put(key, 0, reply)
    cache.flush()
    assert cache.get(key, 0) == reply


def test_half_a_surrogate_pair_and_nul_come_back(cache: Cache):
    reply = Stored("a\ud800b\0c")
    cache.put(KEY, 0, reply)
    cache.flush()
    assert cache.get(KEY, 0) == reply


def test_several_draws_are_read_from_the_file_and_from_what_is_not_yet_written(cache: Cache):
    for number in range(0, 400, 2):
        cache.put(KEY, number, said(number))
    cache.flush()
    for number in range(1, 11, 2):
        cache.put(KEY, number, said(number))
    assert cache.get_many(KEY, range(12)) == {n: said(n) for n in [*range(11)]}


def test_the_first_reply_to_a_draw_stays(file: Path):
    one, two = Cache(file), Cache(file)
    one.put(KEY, 0, Stored("first"))
    one.flush()
    two.put(KEY, 0, Stored("second"))
    two.flush()
    one.put(KEY, 0, Stored("third"))
    one.flush()
    assert one.get(KEY, 0) == two.get(KEY, 0) == Stored("first")
    one.close()
    two.close()


def test_prompts_are_not_in_the_file_and_only_its_owner_reads_it(cache: Cache, file: Path):
    asked = request("the password is xyzzy123")
    key = cache.key(MODEL, asked, 0)
    assert key is not None
    cache.put(key, 0, said(0))
    cache.flush()
    written = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert b"reply number 0" in written
    assert b"xyzzy123" not in written
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_kept_out_has_no_key(file: Path):
    cache = Cache(file, keep_out=lambda asked: "secret" in asked.messages[-1].text)
    assert cache.key(MODEL, request("a secret"), 0) is None
    assert cache.key(MODEL, request("no such thing"), 0) is not None
    cache.close()


def test_a_closed_cache_says_so(file: Path):
    cache = Cache(file)
    cache.close()
    cache.close()
    with pytest.raises(CacheError, match="closed"):
        cache.get(KEY, 0)
    with pytest.raises(CacheError, match="closed"):
        cache.put(KEY, 0, said(0))
    with pytest.raises(CacheError, match="closed"):
        cache.flush()


# Keys

WITH_SCHEMA = replace(request(), schema={"type": "object", "properties": {"a": {}, "b": {}}})

DIFFERENT: list[Request] = [
    request(),
    request("What is 2 + 3?"),
    replace(request(), messages=request().messages[1:]),
    replace(request(), messages=request().messages[::-1]),
    replace(request(), messages=(Message("user", ("What is 2 + 2?",)),)),
    replace(request(), messages=(Message("user", ("What is ", "2 + 2?")),)),
    replace(request(), messages=(Message("user", ("What is ", Image("2 + 2?"))),)),
    replace(request(), messages=(Message("user", (Image("What is "), "2 + 2?")),)),
    replace(request(), messages=(Message("user", "What is "), Message("user", "2 + 2?"))),
    replace(request(), purpose=Purpose("fuse", "What is 2 + 2?")),
    replace(request(), purpose=Purpose("solve", "What is 2 - 2?")),
    replace(request(), purpose=Purpose("solve", "What is 2 + 2?", ("4",))),
    replace(request(), purpose=Purpose("solve", "What is 2 + 2?", ("4", ""))),
    replace(request(), stop=("4",)),
    replace(request(), stop=("4", "")),
    replace(request(), prefix="4"),
    replace(request(), temperature=0.5),
    replace(request(), top_p=0.5),
    replace(request(), top_k=5),
    replace(request(), max_tokens=65),
    replace(request(), logprobs=0),
    replace(request(), logprobs=1),
    replace(request(), turn=1),
    WITH_SCHEMA,
    replace(request(), schema={}),
    replace(request(), schema={"type": "object", "properties": {"a": {}}}),
    replace(request(), regex="4"),
    replace(request(), grammar="4"),
    replace(request(), choice=("4",)),
    replace(request(), choice=("4", "")),
    replace(request(), regex="4", choice=("4",)),
    replace(request(), prompt_logprobs=0),
    replace(request(), prompt_logprobs=1),
    replace(request(), thinking=0),
    replace(request(), thinking=1),
    replace(request(), wants="reward"),
    replace(request(), wants="embedding"),
    replace(request(), tools=(Tool("a", "b", {}),)),
    replace(request(), tools=(Tool("a", "b", {"type": "object"}),)),
    replace(request(), tools=(Tool("a", "b", {}), Tool("c", "d", {}))),
    replace(request(), tools=(Tool("b", "a", {}),)),
    *(
        replace(request(), messages=(*request().messages, Message("assistant", "", calls, call)))
        for calls, call in (
            ((), ""),
            ((), "a"),
            ((ToolCall("a", "b", "{}"),), ""),
            ((ToolCall("a", "b", "{}"),), "a"),
            ((ToolCall("b", "a", "{}"),), ""),
            ((ToolCall("a", "b", "{}"), ToolCall("a", "b", "{}")), ""),
        )
    ),
]


def test_whatever_decides_a_reply_decides_the_key():
    keys = [request_key(MODEL, asked, seed) for asked in DIFFERENT for seed in (0, 1)]
    assert len(set(keys)) == len(keys)


def test_every_field_of_a_request_is_in_the_key_or_left_out_on_purpose():
    left_out = {"model", "step", "question", "draws"}
    base = request()
    changed = {
        name
        for name in Request.__dataclass_fields__
        if any(getattr(asked, name) != getattr(base, name) for asked in DIFFERENT)
    }
    assert changed == set(Request.__dataclass_fields__) - left_out


def test_who_asks_is_not_in_the_key():
    key = request_key(MODEL, request(), 0)
    asked = replace(request(draws=4), model="n", step="drafts", question="q17")
    assert request_key(MODEL, asked, 0) == key
    assert request_key(MODEL, replace(request(), temperature=1, top_p=1), 0) == key
    again = replace(WITH_SCHEMA, schema={"properties": {"b": {}, "a": {}}, "type": "object"})
    assert request_key(MODEL, again, 0) == request_key(MODEL, WITH_SCHEMA, 0)


def test_the_model_its_revision_and_its_options_decide_the_key():
    options: list[dict[object, object]] = [
        {}, {"a": 1}, {"a": "1"}, {"a": True}, {"a": None}, {"a": [1]}, {"a": [[1]]},
        {"a": {"1": 2}}, {"a": {1: 2}}, {"a": {}}, {"a": []}, {"b": 1}, {"a": 1, "b": 1},
        {"revision": "abc"},
    ]  # fmt: skip
    keys = [model_key(ModelSpec(model="openai/x", options=given)) for given in options]
    keys += [model_key(ModelSpec(model="openai/y")), model_key(ModelSpec(model="vllm/x"))]
    keys += [model_key(ModelSpec(model="openai/x"), "r1")]
    assert len(set(keys)) == len(keys)
    one = ModelSpec(model="openai/x", options={"a": 1, "b": 2}, concurrency=3)
    two = ModelSpec(model="openai/x", options={"b": 2, "a": 1}, temperature=0.5)
    assert model_key(one) == model_key(two)


def test_options_without_a_stable_form_are_refused():
    with pytest.raises(CacheError, match="object"):
        model_key(ModelSpec(model="openai/x", options={"a": object()}))


def test_keys_are_the_same_in_every_process():
    # A change here makes all that is stored useless: raise FORMAT, too.
    assert MODEL.hex().startswith(MODEL_WAS)
    assert request_key(MODEL, WITH_SCHEMA, 3).hex().startswith(REQUEST_WAS)
    assert key_seed(KEY, 1) == SEED_WAS


@given(st.lists(st.text("ab", max_size=3), min_size=5, max_size=5), st.integers(0, 4))
@settings(max_examples=50)
def test_moving_text_between_fields_changes_the_key(parts: list[str], shift: int):
    def asked(texts: list[str]) -> Request:
        a, b, c, d, e = texts
        purpose = Purpose(a, b, (c,))
        return replace(request(), purpose=purpose, stop=(d,), messages=(Message("user", e),))

    moved = parts[shift:] + parts[:shift]
    same = request_key(MODEL, asked(parts), 0) == request_key(MODEL, asked(moved), 0)
    assert same == (parts == moved)


_WORDS = st.text("ab", max_size=2)
_SOME_WORDS = st.lists(_WORDS, max_size=2).map(tuple)
_COUNTS = st.none() | st.integers(0, 1)
_CALLS = st.lists(st.builds(ToolCall, _WORDS, _WORDS, _WORDS), max_size=2).map(tuple)
_REQUESTS = st.builds(
    Request,
    st.sampled_from(["m", "n"]),
    st.lists(
        st.builds(Message, st.sampled_from(["user", "tool"]), _WORDS, _CALLS, _WORDS), max_size=2
    ).map(tuple),
    st.builds(Purpose, st.sampled_from(["solve", "verify"]), _WORDS, _SOME_WORDS),
    st.just((Draw(0, 0, 0),)),
    st.integers(1, 2),
    temperature=st.sampled_from([0.0, 1.0]),
    stop=_SOME_WORDS,
    prefix=_WORDS,
    schema=st.none() | st.dictionaries(_WORDS, st.integers(0, 1), max_size=1),
    regex=_WORDS,
    grammar=_WORDS,
    choice=_SOME_WORDS,
    logprobs=_COUNTS,
    prompt_logprobs=_COUNTS,
    tools=st.lists(
        st.builds(Tool, _WORDS, _WORDS, st.dictionaries(_WORDS, st.integers(0, 1), max_size=1)),
        max_size=2,
    ).map(tuple),
    thinking=_COUNTS,
    wants=st.sampled_from(["text", "reward", "embedding"]),
    turn=st.integers(0, 1),
)


@given(_REQUESTS, _REQUESTS, st.sets(st.sampled_from(list(Request.__dataclass_fields__))))
@settings(max_examples=300)
def test_keys_differ_just_where_a_field_that_decides_does(
    one: Request, other: Request, same: set[str]
):
    other = replace(other, **{name: getattr(one, name) for name in same})
    decides = set(Request.__dataclass_fields__) - {"model", "step", "question", "draws"}
    equal = all(getattr(one, name) == getattr(other, name) for name in decides)
    assert (request_key(MODEL, one, 0) == request_key(MODEL, other, 0)) == equal


# Asking once


class Asker:
    """A model that says of each draw which one it is, after a while."""

    def __init__(self, takes: float = 1.0) -> None:
        self.takes = takes
        self.asked: list[int] = []

    async def __call__(
        self, wanted: tuple[Draw, ...], arrived: Callable[[Draw, Stored], None]
    ) -> None:
        self.asked += [draw.number for draw in wanted]
        for draw in wanted:
            await asyncio.sleep(self.takes)
            arrived(draw, said(draw.number))


class Got(dict[int, str]):
    """What was given, by draw number; each once."""

    def __call__(self, draw: Draw, reply: Stored) -> None:
        assert draw.number not in self
        assert draw.index == 100 + draw.number
        self[draw.number] = reply.text


def texts(*numbers: int) -> dict[int, str]:
    return {number: said(number).text for number in numbers}


def test_asking_for_more_draws_reuses_the_first(cache: Cache):
    async def main() -> None:
        asker, got = Asker(), Got()
        await cache.fetch(KEY, draws(0, 1, 2), got, asker)
        assert got == {}
        await cache.fetch(KEY, draws(0, 1, 2, 3, 4), got, asker)
        assert got == texts(0, 1, 2)
        assert asker.asked == [0, 1, 2, 3, 4]

    run(main())


def test_equal_draws_in_flight_are_asked_for_once(cache: Cache):
    async def main() -> None:
        asker = Asker()
        gots = [Got() for _ in range(20)]
        await asyncio.gather(*[cache.fetch(KEY, draws(0, 1), got, asker) for got in gots])
        assert asker.asked == [0, 1]
        assert gots == [{}, *[texts(0, 1)] * 19]

    run(main())


def test_requests_that_overlap_ask_each_for_its_part(cache: Cache):
    async def main() -> None:
        one, two, got_one, got_two = Asker(), Asker(), Got(), Got()
        await asyncio.gather(
            cache.fetch(KEY, draws(0, 1, 2), got_one, one),
            cache.fetch(KEY, draws(1, 2, 3), got_two, two),
        )
        assert (one.asked, two.asked) == ([0, 1, 2], [3])
        assert (got_one, got_two) == ({}, texts(1, 2))

    run(main())


def test_draws_wanted_in_any_order_are_asked_for_once(cache: Cache):
    async def main() -> None:
        wanted = [draws(0, 1), draws(1, 0), draws(1), draws(0)]
        asker = Asker()
        await asyncio.gather(*[cache.fetch(KEY, one, Got(), asker) for one in wanted])
        assert asker.asked == [0, 1]

    run(main())


def test_when_the_asker_is_cancelled_the_next_one_asks(cache: Cache):
    async def main() -> None:
        first, second, third = Asker(), Asker(), Asker()
        got_second, got_third = Got(), Got()
        tasks = [
            asyncio.create_task(cache.fetch(KEY, draws(0, 1), got, asker))
            for got, asker in ((Got(), first), (got_second, second), (got_third, third))
        ]
        await asyncio.sleep(1.5)
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert tasks[0].cancelled()
        # Draw 0 had arrived; draw 1 was asked for again, by one of the two.
        assert (first.asked, second.asked, third.asked) == ([0, 1], [1], [])
        assert (got_second, got_third) == (texts(0), texts(0, 1))

    run(main())


def test_when_the_asker_fails_it_alone_fails(cache: Cache):
    async def main() -> None:
        async def fail(wanted: tuple[Draw, ...], arrived: object) -> None:
            await asyncio.sleep(1)
            raise OSError("no line")

        asker, got = Asker(), Got()
        outcomes = await asyncio.gather(
            cache.fetch(KEY, draws(0), Got(), fail),
            cache.fetch(KEY, draws(0), Got(), fail),
            cache.fetch(KEY, draws(0), Got(), asker),
            cache.fetch(KEY, draws(0), got, asker),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes[:2]] == [OSError, OSError]
        assert outcomes[2:] == [None, None]
        assert asker.asked == [0]
        assert got == texts(0)

    run(main())


def test_cancelling_one_that_waits_leaves_the_others_alone(cache: Cache):
    async def main() -> None:
        asker, got = Asker(), Got()
        tasks = [
            asyncio.create_task(cache.fetch(KEY, draws(0), g, asker)) for g in (Got(), Got(), got)
        ]
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert asker.asked == [0]
        assert got == texts(0)

    run(main())


def test_a_reply_that_may_not_be_kept_is_not_shared(cache: Cache):
    async def main() -> None:
        async def elsewhere(wanted: tuple[Draw, ...], arrived: object) -> None:
            await asyncio.sleep(1)

        asker = Asker()
        await asyncio.gather(
            cache.fetch(KEY, draws(0), Got(), elsewhere),
            cache.fetch(KEY, draws(0), Got(), asker),
        )
        assert asker.asked == [0]

    run(main())


def test_a_listener_that_raises_leaves_nothing_claimed(cache: Cache):
    def refuse(draw: Draw, reply: Stored) -> None:
        raise ValueError("no")

    async def main() -> None:
        cache.put(KEY, 0, said(0))
        with pytest.raises(ValueError, match="no"):
            await cache.fetch(KEY, draws(0, 1), refuse, Asker())
        asker = Asker()
        await asyncio.wait_for(cache.fetch(KEY, draws(1), Got(), asker), 10)
        assert asker.asked == [1]

    run(main())


@given(st.integers(0, 10**6))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_disorder_everyone_who_stays_is_served_rightly(cache: Cache, seed: int):
    dice = Random(seed)
    key = os.urandom(32)

    async def main() -> None:
        under_way: set[int] = set()

        async def ask(wanted: tuple[Draw, ...], arrived: Callable[[Draw, Stored], None]) -> None:
            numbers = {draw.number for draw in wanted}
            assert not numbers & under_way
            under_way.update(numbers)
            try:
                for draw in wanted:
                    await asyncio.sleep(dice.randrange(4) / 4)
                    if dice.random() < 0.2:
                        raise OSError("no line")
                    under_way.discard(draw.number)
                    numbers.discard(draw.number)
                    arrived(draw, said(draw.number))
                    seen[draw.number] = seen.get(draw.number, 0) + 1
            finally:
                under_way.difference_update(numbers)

        async def one() -> None:
            await asyncio.sleep(dice.randrange(8) / 4)
            wanted = draws(*dice.sample(range(4), dice.randint(1, 4)))
            got = Got()
            before = dict(seen)
            await cache.fetch(key, wanted, got, ask)
            assert got.items() <= texts(0, 1, 2, 3).items()
            for draw in wanted:
                assert draw.number in got or seen[draw.number] > before.get(draw.number, 0)

        seen: dict[int, int] = {}
        tasks = [asyncio.create_task(one()) for _ in range(8)]
        for task in dice.sample(tasks, 3):
            asyncio.get_running_loop().call_later(dice.randrange(12) / 4, task.cancel)
        outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 100)
        for outcome in outcomes:
            assert outcome is None or isinstance(outcome, OSError | asyncio.CancelledError)
        # A draw that arrived is not asked for again.
        assert set(seen.values()) <= {1}

    run(main())


def test_claims():
    async def main() -> None:
        flight = InFlight()
        assert flight.claim(KEY, 0) is None
        waiting = flight.claim(KEY, 0)
        assert flight.claim(OTHER, 0) is None
        assert flight.claim(KEY, 1) is None
        flight.settle(KEY, 0, said(0))
        assert waiting is not None
        assert await waiting == said(0)
        waiting = flight.claim(KEY, 1)
        flight.release(KEY, 1)
        assert waiting is not None
        assert await waiting is None
        assert flight.claim(KEY, 1) is None

    run(main())


def test_the_seed_of_a_draw_depends_on_its_key_and_number_alone():
    seeds = [key_seed(key, number) for key in (KEY, OTHER) for number in range(50)]
    assert len(set(seeds)) == 100
    assert all(0 <= seed < 1 << 63 for seed in seeds)


# Several processes

_CHILD = """
import sys
from pathlib import Path
from polyarch.runtime.cache import Cache, Stored
key = b"k" * 32
cache = Cache(Path(sys.argv[1]))
"""


def child(file: Path, code: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD + code, str(file), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_share_a_file(file: Path):
    code = """
start = int(sys.argv[2])
for number in range(start, start + 300):
    cache.put(key, number, Stored(f"reply number {number}", "stop", 10, 2, 3))
    if number % 50 == 0:
        cache.flush()
    found = cache.get_many(key, range(max(0, number - 200), number + 1))
    assert all(reply.text == f"reply number {n}" for n, reply in found.items())
    assert number in found
cache.close()
"""
    children = [child(file, code, str(start)) for start in (0, 150, 300)]
    for process in children:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    cache = Cache(file)
    assert cache.get_many(KEY, range(600)) == {number: said(number) for number in range(600)}
    cache.close()


def test_a_writer_that_is_killed_leaves_all_it_had_written(file: Path):
    code = """
number = 0
while True:
    cache.put(key, number, Stored(f"reply number {number}", "stop", 10, 2, 3))
    number += 1
    if number % 7 == 0:
        cache.flush()
        print(number, flush=True)
"""
    process = child(file, code)
    assert process.stdout is not None
    for _ in range(20):
        written = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    cache = Cache(file)
    assert cache.get_many(KEY, range(written)) == {n: said(n) for n in range(written)}
    cache.put(OTHER, 0, said(0))
    cache.close()
    assert sqlite3.connect(file).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_reply_is_written_without_waiting_for_more(file: Path):
    code = """
cache.put(key, 0, Stored("reply number 0", "stop", 10, 2, 3))
print("put", flush=True)
sys.stdin.read()
"""
    process = child(file, code)
    assert process.stdout is not None
    process.stdout.readline()
    reader = CacheFile(file)
    end = time.monotonic() + 20
    while not reader.get(KEY, 0, 0) and time.monotonic() < end:
        time.sleep(0.01)
    assert reader.get(KEY, 0, 0)
    reader.close()
    process.kill()
    process.communicate()


def test_a_process_that_ends_without_closing_has_written_all(file: Path):
    code = """
for number in range(1000):
    cache.put(key, number, Stored(f"reply number {number}", "stop", 10, 2, 3))
"""
    process = child(file, code)
    _, errors = process.communicate(timeout=60)
    assert not errors
    cache = Cache(file)
    assert len(cache.get_many(KEY, range(1000))) == 1000
    cache.close()


def test_a_locked_file_is_an_error_and_loses_nothing(cache: Cache, file: Path):
    cache.put(KEY, 0, said(0))
    cache.flush()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    cache.put(KEY, 1, said(1))
    with pytest.raises(CacheError, match=r"replies\.sqlite: another process kept .* locked"):
        cache.flush()
    for again in (lambda: cache.get(KEY, 0), lambda: cache.put(KEY, 2, said(2)), cache.flush):
        with pytest.raises(CacheError, match="locked"):
            again()
    other.execute("COMMIT")
    other.close()
    cache.flush()
    assert cache.get_many(KEY, (0, 1)) == {0: said(0), 1: said(1)}


def test_a_file_locked_while_it_is_made_is_an_error(tmp_path: Path):
    other = sqlite3.connect(tmp_path / "r.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(CacheError, match=r"locked for 0\.1 s"):
        Cache(tmp_path / "r.sqlite", patience=0.1)
    other.close()


# Damage


@once
def sound() -> bytes:
    """The bytes of a file with 60 replies of 40 requests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "r.sqlite"
        cache = Cache(path)
        for key, number in places():
            cache.put(key, number, Stored(f"{key[0]} said {number} " + "x" * (key[0] * 20)))
        cache.close()
        return path.read_bytes()


def places() -> list[tuple[bytes, int]]:
    return [(bytes([k]) * 32, number) for k in range(40) for number in range(1 + k % 2)]


def check(path: Path) -> int:
    """Read and write a file that may be damaged: right replies, misses and `CacheError` only. How
    many of the replies are still there."""
    there = 0
    try:
        cache = Cache(path, patience=0.1, max_bytes=10**9, max_age=10**9)
    except CacheError:
        return 0
    for key, number in places():
        try:
            reply = cache.get(key, number)
        except CacheError:
            continue
        if reply is not None:
            assert reply == Stored(f"{key[0]} said {number} " + "x" * (key[0] * 20))
            there += 1
    with suppress(CacheError):
        cache.put(OTHER, 0, said(0))
        cache.flush()
        assert cache.get(OTHER, 0) in (None, said(0))
    with suppress(CacheError):
        cache.close()
    return there


def test_a_sound_file_is_read_whole(tmp_path: Path):
    path = tmp_path / "r.sqlite"
    path.write_bytes(sound())
    assert check(path) == len(places())


@given(
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=80, deadline=None)
def test_overwritten_bytes_never_give_another_reply(damage: list[tuple[float, bytes]]):
    written = bytearray(sound())
    for where, what in damage:
        start = int(where * len(written))
        written[start : start + len(what)] = what
    with TemporaryDirectory() as folder:
        path = Path(folder) / "r.sqlite"
        path.write_bytes(written[: len(sound())])
        check(path)


@given(st.floats(0, 1), st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_truncated_file_never_gives_another_reply(left: float, zeroed: bool):
    written = sound()
    kept = written[: int(left * len(written))]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "r.sqlite"
        path.write_bytes(kept.ljust(len(written), b"\0") if zeroed else kept)
        check(path)


def test_a_changed_text_is_an_error_that_names_file_and_remedy(tmp_path: Path):
    path = tmp_path / "my replies.sqlite"
    path.write_bytes(sound().replace(b"7 said 0", b"7 said 9"))
    cache = Cache(path)
    with pytest.raises(CacheError) as caught:
        cache.get(bytes([7]) * 32, 0)
    assert str(path) in str(caught.value)
    assert f"polyarch cache clear --file '{path}'" in str(caught.value)
    assert cache.get(bytes([8]) * 32, 0) is not None
    cache.close()
    assert caught.value.code == "cache"


def test_a_reply_moved_to_another_draw_is_an_error(tmp_path: Path):
    path = tmp_path / "r.sqlite"
    path.write_bytes(sound())
    db = sqlite3.connect(path)
    key = bytes([7]) * 32
    db.execute(
        "UPDATE replies SET reply = (SELECT reply FROM replies WHERE key = ? AND number = 1) "
        "WHERE key = ? AND number = 0",
        (key, key),
    )
    db.commit()
    db.close()
    cache = Cache(path)
    with pytest.raises(CacheError, match="damaged"):
        cache.get(key, 0)
    cache.close()


def foreign(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE letters (text)")
    db.close()


def newer(path: Path) -> None:
    Cache(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.write_bytes(b"hello " * 2000), "is not a cache"),
        (lambda path: path.write_bytes(b"\0" * 5000), "is not a cache"),
        (foreign, "another program"),
        (newer, "format 99.*polyarch cache clear"),
        (Path.mkdir, "not a file"),
    ],
)
def test_what_is_no_cache_is_refused(make: Callable[[Path], object], told: str, tmp_path: Path):
    path = tmp_path / "r.sqlite"
    make(path)
    with pytest.raises(CacheError, match=f"(?s){path}.*{told}"):
        Cache(path)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="name another file"):
        Cache(tmp_path / "file" / "r.sqlite")
    with pytest.raises(CacheError, match="name another file"):
        Cache(tmp_path / "file" / "deeper" / "r.sqlite")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_error(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(CacheError, match="Permission denied"):
        Cache(tmp_path / "r.sqlite")
    tmp_path.chmod(0o700)


# Limits


class Clock:
    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


def test_what_is_too_old_is_not_used_and_drawn_anew(file: Path):
    clock = Clock()
    cache = Cache(file, max_age=100, now=clock)
    cache.put(KEY, 0, Stored("old"))
    cache.flush()
    clock.time += 99
    assert cache.get(KEY, 0) == Stored("old")
    clock.time += 2
    assert cache.get(KEY, 0) is None
    cache.put(KEY, 0, Stored("new"))
    cache.flush()
    assert cache.get(KEY, 0) == Stored("new")
    cache.close()


def test_what_is_too_old_is_removed_on_opening(file: Path):
    clock = Clock()
    cache = Cache(file, now=clock)
    for number in range(200):
        cache.put(KEY, number, said(number))
        clock.time += 1
    cache.close()
    cache = Cache(file, max_age=50, now=clock)
    cache.flush()
    cache.close()
    left = CacheFile(file)
    assert left.contents().replies == 50
    assert [found[0] for found in left.get(KEY, 0, 1000)] == [*range(150, 200)]
    left.close()


def test_beyond_the_size_what_was_not_used_for_longest_goes(file: Path):
    clock = Clock()
    cache = Cache(file, max_bytes=200_000, now=clock)
    for number in range(100):
        cache.put(KEY, number, Stored("x" * 1000))
    clock.time += 1000
    assert cache.get(KEY, 3) is not None
    for number in range(100, 600):
        clock.time += 1
        cache.put(KEY, number, Stored("x" * 1000))
        cache.flush()
    assert cache.get(KEY, 599) is not None
    assert cache.get(KEY, 4) is None
    cache.close()
    file_left = CacheFile(file)
    holds = file_left.contents()
    assert 50 < holds.replies < 200
    assert holds.bytes <= 200_000 + 50_000
    file_left.close()


def test_a_use_keeps_a_reply(file: Path):
    clock = Clock()
    cache = Cache(file, now=clock)
    for number in range(300):
        cache.put(KEY, number, Stored("x" * 1000))
    cache.flush()
    clock.time += 3600
    assert cache.get(KEY, 7) is not None
    cache.close()
    left = CacheFile(file)
    assert left.trim(most=100_000) > 0
    assert {found[0] for found in left.get(KEY, 0, 20)} == {7}
    left.close()


# The command


def command(*arguments: object) -> object:
    told = CliRunner().invoke(cli, ["cache", *map(str, arguments), "--json"])
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)


def filled(file: Path) -> Path:
    cache = Cache(file, now=Clock())
    for number in range(300):
        cache.put(KEY, number, Stored("x" * 1000))
    cache.close()
    return file


def test_show(file: Path):
    told = CliRunner().invoke(cli, ["cache", "--file", str(filled(file))])
    assert told.exit_code == 0
    assert "replies    300\n" in told.stdout
    assert "kB\n" in told.stdout
    holds = command("show", "--file", file)
    assert isinstance(holds, dict)
    assert holds["replies"] == 300
    assert holds["oldest"] == holds["newest"] == 1_000_000
    assert 300_000 < holds["bytes"] < 600_000


def test_a_missing_file_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("POLYARCH_CACHE", str(tmp_path / "r.sqlite"))
    for action in ("show", "clear"):
        assert command(action) == {"file": str(tmp_path / "r.sqlite"), "exists": False}
    assert CliRunner().invoke(cli, ["cache"]).stdout == f"{tmp_path / 'r.sqlite'}: no cache yet\n"
    assert not any(tmp_path.iterdir())


def test_prune_and_clear(file: Path):
    before = filled(file).stat().st_size
    told = command("prune", "--file", file, "--larger-than", "100kB")
    assert isinstance(told, dict)
    assert told["removed"] + told["replies"] == 300
    assert told["bytes"] <= 100_000
    assert file.stat().st_size < before / 2
    told = command("prune", "--file", file, "--older-than", "36500d")
    assert isinstance(told, dict)
    assert told["removed"] == 0
    left = told["replies"]
    assert command("clear", "--file", file) == {"file": str(file), "exists": True, "removed": left}
    assert command("show", "--file", file)["replies"] == 0  # type: ignore[index]
    filled(file)
    told = command("prune", "--file", file, "--older-than", "30d")
    assert isinstance(told, dict)
    assert (told["removed"], told["replies"]) == (300, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["prune"],
        ["show", "--older-than", "30d"],
        ["prune", "--older-than", "30"],
        ["prune", "--older-than", "-3d"],
        ["prune", "--larger-than", "1 parsec"],
        ["throw"],
    ],
)
def test_wrong_usage(arguments: list[str]):
    assert CliRunner().invoke(cli, ["cache", *arguments]).exit_code == 2


def test_clear_deletes_what_was_a_cache_and_cannot_be_read(tmp_path: Path):
    path = tmp_path / "r.sqlite"
    written = bytearray(sound())
    written[100:8192] = b"\xaa" * (8192 - 100)
    path.write_bytes(written)
    with pytest.raises(CacheError, match="polyarch cache clear"):
        Cache(path)
    told = command("clear", "--file", path)
    assert told == {"file": str(path), "exists": True, "removed": None}
    assert not path.exists()
    newer(path)
    assert clear(path) is None
    assert not path.exists()


@pytest.mark.parametrize("make", [lambda path: path.write_text("my thesis"), foreign])
def test_clear_deletes_nothing_that_is_not_a_cache(make: Callable[[Path], object], tmp_path: Path):
    path = tmp_path / "thesis"
    make(path)
    before = path.read_bytes()
    told = CliRunner().invoke(cli, ["cache", "clear", "--file", str(path)])
    assert told.exit_code == 1
    assert "error:" in told.stderr
    assert path.read_bytes() == before


def test_the_default_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("POLYARCH_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "polyarch" / "replies.sqlite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path() == tmp_path / ".cache" / "polyarch" / "replies.sqlite"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_path() == tmp_path / "Library" / "Caches" / "polyarch" / "replies.sqlite"
    monkeypatch.setenv("POLYARCH_CACHE", "~/r.sqlite")
    assert default_path() == tmp_path / "r.sqlite"
