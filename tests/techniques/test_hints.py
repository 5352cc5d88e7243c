"""Hint marginalisation, as a loop of draws that each have an answer as their hint, takes the
distribution of answers where power iteration does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import accumulate

import pytest
from sim import compiled, simulate

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.runtime.result import Result

FIRST = (0.30, 0.45, 0.25)
"""How often each answer comes without a hint."""
AFTER = ((0.90, 0.05, 0.05), (0.30, 0.60, 0.10), (0.35, 0.15, 0.50))
"""And after each hint: 0 is hard to find, and convinces whoever sees it."""
DRAWS = 400
TURNS = 4

HINTED = f"""
name: p
answer: number
models: {{m: {{model: scripted/x, max_tokens: 20}}}}
steps:
  drafts: {{op: generate, n: {DRAWS}}}
  hinted:
    op: loop
    times: {TURNS}
    steps: {{again: {{op: refine, prompt: "{{question}} Hint: the answer is near {{answer}}."}}}}
  answer: {{op: vote}}
"""
BLIND = f"""
name: p
answer: number
models: {{m: {{model: scripted/x, max_tokens: 20}}}}
steps:
  drafts: {{op: generate, n: {DRAWS * (TURNS + 1)}}}
  answer: {{op: vote}}
"""


def evenly() -> Callable[[Request, Draw], str]:
    """Answers as often as they should come, spread evenly over the draws with the same hint."""
    drawn: Counter[str] = Counter()

    def reply(request: Request, draw: Draw) -> str:
        hint = re.search(r"near (\d)", request.messages[-1].text)
        shares = FIRST if hint is None else AFTER[int(hint[1])]
        key = "" if hint is None else hint[1]
        drawn[key] += 1
        place = (drawn[key] * 0.6180339887) % 1.0
        return str(next(n for n, upto in enumerate(accumulate(shares)) if place < upto + 1e-12))

    return reply


def shares(result: Result, step: str) -> list[float]:
    drew = [e.data["text"] for e in result.trace if e.what == "drew" and e.step == step]
    return [drew.count(str(answer)) / len(drew) for answer in range(3)]


def test_each_turn_is_a_step_of_power_iteration() -> None:
    result = simulate(compiled(HINTED), {"m": Scripted(evenly())})
    expected = list(FIRST)
    for turn in range(1, TURNS + 1):
        expected = [sum(expected[h] * AFTER[h][y] for h in range(3)) for y in range(3)]
        assert shares(result, f"hinted.{turn}.again") == pytest.approx(expected, abs=0.02)
    assert result.answer == "0"
    assert result.candidates[0].scores["vote"] == pytest.approx(expected[0], abs=0.02)


def test_as_many_blind_draws_elect_another() -> None:
    blind = simulate(compiled(BLIND), {"m": Scripted(evenly())})
    assert blind.usage.calls == DRAWS * (TURNS + 1)
    assert blind.answer == "1"
