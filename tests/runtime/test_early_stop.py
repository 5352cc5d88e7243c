"""A vote that has seen enough makes exactly the calls that its rule implies, and ends the rest."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from random import Random

import pytest
from sim import Latency, compiled, simulate

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.values import Usage
from polyarch.runtime.result import Result

N = 40


def apart(request: Request, draw: Draw) -> float:
    """No two draws end at once: whatever is opened has been sent before the next is read."""
    return 1 + draw.index / 256


def voted(
    answers: Sequence[int], rule: str, ahead: int, most: int, latency: Latency = apart
) -> tuple[Result, Scripted]:
    text = f"""\
name: p
models: {{m: {{model: scripted/x, max_draws: {most}, concurrency: 64}}}}
answer: number
steps:
  drafts: {{op: generate, n: {N}}}
  answer: {{op: vote, {rule}, ahead: {ahead}}}
"""

    def reply(request: Request, draw: Draw) -> str:
        return f"the answer is {answers[draw.index]}"

    backend = Scripted(reply, latency=latency)
    return simulate(compiled(text), {"m": backend}), backend


def read_by_exact(answers: Sequence[int]) -> int:
    """How many votes are read until the lead exceeds what is outstanding."""
    counts: dict[int, int] = {}
    for read, answer in enumerate(answers, 1):
        counts[answer] = counts.get(answer, 0) + 1
        first, second, *_ = (*sorted(counts.values(), reverse=True), 0)
        if first - second > len(answers) - read:
            return read
    return len(answers)


SCRIPTS = {
    "all agree": [7] * N,
    "two camps": [i % 2 for i in range(N)],
    "late majority": [1] * 10 + [2] * 30,
    "one dissenter": [1] + [2] * 39,
    "random": [Random(3).choice([1, 1, 1, 2, 3]) for _ in range(N)],
    "random again": [Random(4).choice([1, 1, 2]) for _ in range(N)],
}


@pytest.mark.parametrize("most", [1, 3, 4, 64])
@pytest.mark.parametrize("ahead", [1, 4, 7])
@pytest.mark.parametrize("name", SCRIPTS)
def test_calls_are_what_the_rule_implies(name: str, ahead: int, most: int) -> None:
    answers = SCRIPTS[name]
    result, backend = voted(answers, "stop_at: exact", ahead, most)
    read = read_by_exact(answers)
    chunk = min(most, ahead)
    opened = min(N, ceil(min(N, read - 1 + ahead) / chunk) * chunk)
    log = backend.log
    assert log.asked == opened
    assert log.requests == ceil(opened / chunk)
    assert log.finished + log.cancelled == opened
    assert log.finished >= read
    assert result.usage.calls == opened
    assert result.unread.calls == opened - read
    (note,) = [e.data for e in result.trace if e.what == "noted"]
    assert note["read"] == read
    assert note["stopped"] is (read < N)
    closed = [e.data for e in result.trace if e.what == "closed"]
    assert closed == ([{"read": read, "opened": opened}] if read < N else [])
    assert result.stopped == (f"answer decided after {read}" if read < N else "")


def test_the_backend_sees_the_cancellations() -> None:
    """The window's tail is under way when the vote is decided."""
    result, backend = voted([7] * N, "stop_at: exact", 5, 1)
    read = N // 2 + 1
    assert backend.log.asked == read - 1 + 5
    assert result.unread.calls == 4
    # Draws 20 to 24 were asked for one after the other as 16 to 20 were read.
    assert backend.log.cancelled == 4
    assert backend.log.finished == read


def test_a_probability_stops_sooner() -> None:
    result, backend = voted([7] * N, "stop_at: 0.95", 1, 1)
    # Beta(5, 1) puts 1 - 2**-5 = 0.969 above one half; Beta(4, 1) only 0.9375.
    assert backend.log.asked == 4
    assert backend.log.cancelled == 0
    assert result.unread == Usage()
    assert result.stopped == "answer decided after 4"


@pytest.mark.parametrize("latency", [0.0, 1.0])
@pytest.mark.parametrize("name", SCRIPTS)
def test_what_was_never_sent_is_not_paid(name: str, latency: float) -> None:
    """Where draws end at the same instant, the last ones opened may be closed before they are sent;
    never is more sent than opened."""
    result, backend = voted(SCRIPTS[name], "stop_at: exact", 6, 1, latency)
    read = read_by_exact(SCRIPTS[name])
    assert read <= backend.log.asked <= min(N, read - 1 + 6)
    assert result.usage.calls == backend.log.asked
    assert [e.data["opened"] for e in result.trace if e.what == "closed"] == (
        [min(N, read - 1 + 6)] if read < N else []
    )


def test_latency_changes_the_waste_and_nothing_else() -> None:
    answers = SCRIPTS["random"]
    outcomes = set()
    for latency in (0.0, 0.5, 20.0):
        result, _ = voted(answers, "stop_at: 0.9", 6, 2, latency)
        assert result.best is not None
        outcomes.add((result.answer, result.stopped, str(result.best.notes["votes"])))
    assert len(outcomes) == 1


def test_cancelled_tokens_are_charged() -> None:
    result, backend = voted([7] * N, "stop_at: exact", 8, 4)
    opened = 28
    prompt = len("What is 2 + 2?") // 4
    tokens = len("the answer is 7") // 4
    assert backend.log.asked == opened
    assert backend.log.cancelled == 7
    # Each request of four is charged its prompt once, the closed one too.
    assert result.usage.prompt_tokens == prompt * opened // 4
    assert result.usage.completion_tokens == tokens * (opened - 7)
    assert result.unread.completion_tokens == 0
    assert result.unread.prompt_tokens == prompt


def test_stopping_goes_through_a_step_on_single_candidates() -> None:
    text = f"""\
name: p
models: {{m: {{model: scripted/x, max_draws: 1}}, j: scripted/j}}
answer: number
steps:
  drafts: {{op: generate, n: {N}, model: m}}
  checked: {{op: verify, model: j}}
  answer: {{op: vote, weight: verify, stop_at: exact, ahead: 3}}
"""
    drafter = Scripted(lambda request, draw: "the answer is 4", latency=apart)
    checker = Scripted(lambda request, draw: '{"reason": "", "verdict": "right"}', latency=2.0)
    simulate(compiled(text), {"m": drafter, "j": checker})
    read = N // 2 + 1
    assert drafter.log.asked == read - 1 + 3
    assert checker.log.finished == read
    assert 0 < checker.log.asked + drafter.log.cancelled - read <= 2
    assert checker.log.cancelled == checker.log.asked - read
