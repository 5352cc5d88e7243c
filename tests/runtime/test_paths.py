"""Who waits for a slot is served by the length of the way that is left."""

from __future__ import annotations

import pytest
from sim import compiled, solo, steady

from polyarch.backends.base import Draw, Request
from polyarch.runtime.paths import Paths

TEXT = """\
name: p
answer: number
models: {m: {model: scripted/x, max_draws: 1, concurrency: 1}}
steps:
  short: {op: generate, n: 3}
  long: {op: generate, n: 3}
  better: {op: refine, from: long}
  best: {op: refine}
  answer: {op: vote, from: [short, best]}
"""


def test_paths_are_learned() -> None:
    paths = Paths(compiled(TEXT))
    assert [paths.remaining(s) for s in ("short", "long", "better", "best")] == [1, 3, 2, 1]
    for _ in range(200):
        paths.learn("short", 10.0)
        paths.learn("best", 2.0)
    # What nobody was asked yet takes as long as the others on average.
    told = [paths.remaining(s) for s in ("short", "long", "better", "best")]
    assert told == pytest.approx([10, 6 + 6 + 2, 6 + 2, 2])


def test_the_longest_way_goes_first() -> None:
    order: list[str] = []

    def reply(request: Request, draw: Draw) -> str:
        order.append(request.step)
        return steady(request, draw)

    solo(TEXT, reply, 1.0)
    # The first slot is taken before anybody waits.
    assert order[1:4] == ["long"] * 3
    assert order[-1] in ("best", "short")
    assert order.index("better") < len(order) - 1 - order[::-1].index("short")
