"""What a hit of the reply cache costs beside its floor, in one run.

    python benchmarks/cache.py [--replies 5000] [--repeat 7] [--json]

The floor is what no cache in SQLite can go below: SHA-256 of the prompt, and one bare SELECT by
primary key. Shapes:

    get        key and get of one reply
    schema     the same for a request with a JSON Schema of 1 kB
    fetch      key and fetch of one draw, as the runtime calls it
    fetch 16   key and fetch of 16 draws of one request, per draw
    put        one reply put, as the caller pays it; then until it is on its way to the disk, per
               reply of a batch

Microseconds, the least of the repeats; the sides take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

from polyarch.backends.base import Draw, Request
from polyarch.compiler.spec import ModelSpec
from polyarch.compiler.values import Json, Message, Purpose
from polyarch.runtime.cache import Cache, Stored, model_key

PROMPT = "A train of 17 wagons leaves Oslo with 36 seats in each. " * 18
REPLY = "Each wagon has 36 seats, so the train has 17*36=612 seats. " * 9
SCHEMA: dict[str, Json] = {
    "properties": {f"field{i}": {"title": f"Field {i}", "type": "string"} for i in range(20)}
}
MODEL = model_key(ModelSpec(model="openai/some-model", options={"base_url": "http://localhost"}))


def request(number: int, draws: int = 1, schema: dict[str, Json] | None = None) -> Request:
    question = f"{PROMPT}{number}?"
    return Request(
        "m",
        (Message("system", "Answer briefly."), Message("user", question)),
        Purpose("solve", question),
        tuple(Draw(i, i, i) for i in range(draws)),
        512,
        schema=schema,
    )


class Floor:
    """SHA-256 of the prompt and a bare SELECT, on a file of its own."""

    def __init__(self, path: Path, replies: int) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("CREATE TABLE replies (key BLOB PRIMARY KEY, reply TEXT) WITHOUT ROWID")
        rows = [(self.key(request(i)), REPLY) for i in range(replies)]
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO replies VALUES (?, ?)", rows)
        self.db.execute("COMMIT")

    @staticmethod
    def key(asked: Request) -> bytes:
        return sha256(asked.purpose.question.encode()).digest()

    async def hit(self, asked: Request) -> None:
        key = self.key(asked)
        row = self.db.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        assert row[0] == REPLY


class Hits:
    """The cache's side."""

    def __init__(self, path: Path, replies: int) -> None:
        self.cache = Cache(path)
        for i in range(replies):
            for asked in (request(i), request(i, 1, SCHEMA)):
                key = self.cache.key(MODEL, asked, 0)
                assert key is not None
                for number in range(16 if i % 16 == 0 and asked.schema is None else 1):
                    self.cache.put(key, number, Stored(REPLY, "stop", 250, 0, 120))
        self.cache.flush()

    async def get(self, asked: Request) -> None:
        key = self.cache.key(MODEL, asked, 0)
        assert key is not None
        reply = self.cache.get(key, 0)
        assert reply is not None
        assert reply.text == REPLY

    async def fetch(self, asked: Request) -> None:
        key = self.cache.key(MODEL, asked, 0)
        assert key is not None
        await self.cache.fetch(key, asked.draws, taken, refuse)


def taken(draw: Draw, reply: Stored) -> None:
    assert reply.text == REPLY


async def refuse(draws: tuple[Draw, ...], arrived: object) -> None:
    raise AssertionError(f"{len(draws)} draws are not in the cache")


async def per_call(hit: Callable[[Request], Awaitable[None]], asked: list[Request]) -> float:
    start = time.perf_counter()
    for one in asked:
        await hit(one)
    return (time.perf_counter() - start) / len(asked) * 1e6


def putting(cache: Cache, count: int) -> tuple[float, float]:
    key = sha256(str(time.perf_counter_ns()).encode()).digest()
    reply = Stored(REPLY, "stop", 250, 0, 120)
    start = time.perf_counter()
    for number in range(count):
        cache.put(key, number, reply)
    put = time.perf_counter()
    cache.flush()
    end = time.perf_counter()
    return (put - start) / count * 1e6, (end - start) / count * 1e6


async def measure(replies: int, repeat: int, folder: Path) -> dict[str, float]:
    floor, hits = Floor(folder / "floor.sqlite", replies), Hits(folder / "cache.sqlite", replies)
    plain = [request(i) for i in range(replies)]
    with_schema = [request(i, 1, SCHEMA) for i in range(replies)]
    many = [request(i, 16) for i in range(0, replies, 16)]
    times: dict[str, list[float]] = {}
    for _ in range(repeat):
        turns = (
            ("floor", floor.hit, plain, 1),
            ("get", hits.get, plain, 1),
            ("schema", hits.get, with_schema, 1),
            ("fetch", hits.fetch, plain, 1),
            ("fetch 16", hits.fetch, many, 16),
        )
        for name, hit, asked, draws in turns:
            times.setdefault(name, []).append(await per_call(hit, asked) / draws)
        put, written = putting(hits.cache, 1000)
        times.setdefault("put", []).append(put)
        times.setdefault("put and written", []).append(written)
    hits.cache.close()
    floor.db.close()
    least = {name: min(taken) for name, taken in times.items()}
    least["get beside the floor"] = least["get"] - least["floor"]
    least["fetch beside the floor"] = least["fetch"] - least["floor"]
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replies", type=int, default=5000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        least = asyncio.run(measure(arguments.replies, arguments.repeat, Path(folder)))
    if arguments.json:
        print(json.dumps(least))
        return
    for name, taken in least.items():
        print(f"{name:24} {taken:7.1f} µs")


if __name__ == "__main__":
    main()
