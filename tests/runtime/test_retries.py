"""What happens when a request fails: retries, time-outs, fallbacks, circuits, hedges, rates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest
from sim import compiled, simulate, solo, steady

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import (
    BackendError,
    BadRequest,
    RateLimited,
    ServerFailed,
    StepFailed,
    TimedOut,
    TooLong,
    Unauthorized,
    Unreachable,
)
from polyarch.runtime.circuit import Circuit
from polyarch.runtime.limits import Adaptive
from polyarch.runtime.result import Result
from polyarch.runtime.retry import Retry

ONE = """\
name: p
answer: number
models: {m: {model: scripted/x, %s}}
steps:
  draft: {op: generate}
"""


def failing(times: int, error: BackendError, latency: float = 1.0) -> Callable[..., Script]:
    """A model whose first requests end with an error."""
    left = [times]

    def reply(request: Request, draw: Draw) -> Script:
        left[0] -= 1
        failed = left[0] >= 0
        return Script("4", latency, error if failed else None)

    return reply


def happened(result: Result, what: str) -> list[dict[str, object]]:
    return [dict(event.data) for event in result.trace if event.what == what]


@pytest.mark.parametrize(
    "error", [Unreachable("x"), ServerFailed("x"), TimedOut("x"), RateLimited("x")]
)
def test_passing_failures_are_asked_again(error: BackendError) -> None:
    result, backend = solo(ONE % "retries: 2", failing(2, error))
    assert (str(result), backend.log.requests, result.usage.calls) == ("4", 3, 3)
    assert len(happened(result, "retried")) == 2


@pytest.mark.parametrize("error", [BadRequest("x"), Unauthorized("x"), TooLong("x")])
def test_what_cannot_pass_is_asked_once(error: BackendError) -> None:
    backend = Scripted(failing(1, error))
    with pytest.raises(StepFailed) as caught:
        simulate(compiled(ONE % "retries: 9"), {"m": backend})
    assert caught.value.__cause__ is error
    assert backend.log.requests == 1


def test_retries_end() -> None:
    backend = Scripted(failing(9, ServerFailed("boom")))
    with pytest.raises(StepFailed, match="boom"):
        simulate(compiled(ONE % "retries: 3"), {"m": backend})
    assert backend.log.requests == 4


def test_retry_after_is_honoured() -> None:
    told = failing(1, RateLimited("slow down", retry_after=17.0))
    result, _ = solo(ONE % "retries: 1", told)
    assert result.seconds == pytest.approx(1 + 17 + 1)


def test_waits_grow_and_are_bounded() -> None:
    retry, error = Retry(times=20, first=0.5, longest=30.0), ServerFailed("x")
    longest = [
        max(retry.wait(error, attempt, Random(seed)) or 0.0 for seed in range(300))
        for attempt in range(10)
    ]
    for attempt, wait in enumerate(longest):
        bound = min(30.0, 0.5 * 2**attempt)
        assert 0.9 * bound < wait <= bound
    assert retry.wait(error, 20, Random(0)) is None


def test_only_what_is_missing_of_several_draws_is_asked_again() -> None:
    text = (ONE % "max_draws: 4, retries: 1").replace("generate", "generate, n: 4")
    text = text.replace("steps:", "output: {from: draft, keep: 4}\nsteps:")
    failed = []

    def reply(request: Request, draw: Draw) -> Script:
        if draw.index == 2 and not failed:
            failed.append(draw)
            return Script(latency=3.0, fault=ServerFailed("x"))
        return Script(f"{draw.index}", latency=float(draw.index))

    result, backend = solo(text, reply, keep=True)
    assert [c.text for c in result.candidates] == ["0", "1", "2", "3"]
    # Draw 3 was still being written when the request broke off.
    assert [[d.index for d in r.draws] for r in backend.log.seen] == [[0, 1, 2, 3], [2, 3]]


def test_a_request_has_its_time() -> None:
    backend = Scripted(steady, latency=60.0)
    with pytest.raises(StepFailed, match="no reply within 5 s") as caught:
        simulate(compiled(ONE % "timeout: 5, retries: 1"), {"m": backend})
    assert isinstance(caught.value.__cause__, TimedOut)
    assert (backend.log.requests, backend.log.cancelled) == (2, 2)


def test_another_model_stands_in() -> None:
    text = """\
name: p
answer: number
models:
  m: {model: scripted/x, retries: 1, fallback: [o]}
  o: {model: scripted/y}
steps:
  draft: {op: generate, model: m}
"""
    first, second = Scripted(failing(99, Unreachable("gone"))), Scripted(steady)
    result = simulate(compiled(text), {"m": first, "o": second})
    assert (str(result), result.candidates[0].origin.model) == ("4", "o")
    assert (first.log.requests, second.log.requests) == (2, 1)
    assert happened(result, "fell back")[0]["instead"] == "o"


def test_fallbacks_are_asked_in_order_each_once() -> None:
    text = """\
name: p
answer: number
models:
  m: {model: scripted/x, retries: 0, fallback: [n, o]}
  n: {model: scripted/y, retries: 0, fallback: [m]}
  o: {model: scripted/z, retries: 0, fallback: [m, n]}
steps:
  draft: {op: generate, model: m}
"""
    down = {name: Scripted(failing(99, Unreachable("gone"))) for name in "mn"}
    result = simulate(compiled(text), {**down, "o": Scripted(steady)})
    assert (str(result), result.candidates[0].origin.model) == ("4", "o")
    assert [told["instead"] for told in happened(result, "fell back")] == ["n", "o"]
    everyone = {name: Scripted(failing(99, Unreachable("gone"))) for name in "mno"}
    with pytest.raises(StepFailed, match="gone"):
        simulate(compiled(text), everyone)
    assert [asked.log.requests for asked in everyone.values()] == [1, 1, 1]


def test_a_bad_request_does_not_fall_back() -> None:
    text = """\
name: p
models:
  m: {model: scripted/x, fallback: [o]}
  o: {model: scripted/y}
steps:
  draft: {op: generate, model: m}
"""
    first, second = Scripted(failing(1, BadRequest("no"))), Scripted(steady)
    with pytest.raises(StepFailed, match="no"):
        simulate(compiled(text), {"m": first, "o": second})
    assert second.log.requests == 0


def test_a_straggler_is_overtaken_and_charged() -> None:
    def reply(request: Request, draw: Draw) -> Script:
        slow = not backend_asked
        backend_asked.append(draw)
        return Script("4" if slow else "44", 100.0 if slow else 1.0)

    backend_asked: list[Draw] = []
    result, backend = solo(ONE % "hedge_after: 10", reply)
    assert (str(result), result.seconds) == ("44", pytest.approx(11.0))
    assert (backend.log.asked, backend.log.cancelled, backend.log.under_way) == (2, 1, 0)
    assert result.usage.calls == 2
    assert len(happened(result, "hedged")) == 1


def test_no_hedge_without_need() -> None:
    result, backend = solo(ONE % "hedge_after: 10", steady, 9.0)
    assert (backend.log.asked, result.usage.calls, result.seconds) == (1, 1, pytest.approx(9.0))


def test_a_circuit_opens_and_closes_again() -> None:
    time = [0.0]
    circuit = Circuit("m", lambda: time[0], after=3, pause=10.0)
    for _ in range(3):
        circuit.check()
        circuit.failed(ServerFailed("down"), 0.0)
    with pytest.raises(Unreachable, match="failed 3 times in a row") as caught:
        circuit.check()
    assert isinstance(caught.value.__cause__, ServerFailed)
    time[0] = 10.0
    circuit.check()
    with pytest.raises(Unreachable):
        circuit.check()  # one trial at a time
    circuit.failed(ServerFailed("down then"), 0.0)  # sent before it opened
    with pytest.raises(Unreachable):
        circuit.check()
    circuit.failed(ServerFailed("still down"), 10.0)
    time[0] = 15.0
    with pytest.raises(Unreachable):
        circuit.check()
    time[0] = 20.0
    circuit.check()
    circuit.succeeded()
    circuit.check()
    assert not circuit.open


def test_failures_of_what_was_sent_before_a_success_are_not_in_a_row() -> None:
    time = [0.0]
    circuit = Circuit("m", lambda: time[0], after=3, pause=10.0)
    time[0] = 5.0
    circuit.succeeded()
    for _ in range(9):
        circuit.failed(TimedOut("slow"), 1.0)
    assert not circuit.open
    for _ in range(3):
        circuit.failed(TimedOut("slow"), 5.0)
    assert circuit.open


DRAWS = """\
name: p
answer: number
models: {m: {model: scripted/x, max_draws: 1, retries: 0, timeout: 10, concurrency: %d}}
steps:
  drafts: {op: generate, n: %d, on_failure: drop}
  answer: {op: vote}
"""


def test_many_that_time_out_together_leave_a_living_endpoint_open() -> None:
    """Of 20 requests sent at once one is answered; the others time out, and four more follow."""

    def latency(request: Request, draw: Draw) -> float:
        return 60.0 if 0 < draw.index < 20 else 9.0

    result, backend = solo(DRAWS % (20, 24), steady, latency)
    assert (backend.log.requests, len(result.lost), str(result)) == (24, 19, "4")


def test_many_that_time_out_together_with_no_answer_close_a_dead_one() -> None:
    result, backend = solo(DRAWS % (20, 24), steady, 60.0)
    assert (backend.log.requests, len(result.lost)) == (20, 24)


def test_what_is_refused_does_not_keep_a_circuit_open() -> None:
    """Eight failures, 15 seconds of refusals and no request; then the endpoint is back."""
    text = """\
name: p
answer: number
models:
  m: {model: scripted/x, max_draws: 1, retries: 0, concurrency: 1}
  slow: {model: scripted/y, max_draws: 1, concurrency: 1}
steps:
  pace: {op: generate, model: slow, n: 12}
  checked: {op: verify, model: m, on_failure: drop, from: pace}
  early: {op: generate, model: m, n: 8, on_failure: drop}
  answer: {op: vote, from: [checked, early]}
"""
    backends = {
        "m": Scripted(failing(8, ServerFailed("down"), 0.0)),
        "slow": Scripted(steady, latency=2.0),
    }
    result = simulate(compiled(text), backends)
    # Refused at 2, 4, … 14 seconds; asked again at 16, 18, … 24.
    assert [one.place for one in result.lost if one.step == "checked"] == list(range(7))


OUTAGE = """\
name: p
answer: number
models: {m: {model: scripted/x, max_draws: 1, concurrency: 16, retries: %d%s}}
steps:
  drafts: {op: generate, n: 40%s}
  answer: {op: vote}
"""


def away(since: float, until: float) -> Callable[..., Script]:
    """A model that is dead between these times, and whose answers take a second."""

    def reply(request: Request, draw: Draw) -> Script:
        if since <= asyncio.get_running_loop().time() < until:
            return Script(fault=Unreachable("refused"))
        return Script("4", 1.0)

    return reply


def test_what_an_open_circuit_keeps_back_is_asked_once_the_endpoint_is_back() -> None:
    """After the first 16 it is dead; one request tries at 16 and 31 seconds, then the rest go."""
    result, backend = solo(OUTAGE % (3, "", ""), away(0.5, 20.0))
    assert (str(result), result.lost) == ("4", ())
    assert backend.log.requests == 16 + 8 + 1 + 24
    assert result.seconds == pytest.approx(1 + 30 + 1 + 2, abs=0.6)


def test_no_request_waits_for_more_trials_than_it_has_retries() -> None:
    backend = Scripted(away(0.5, 999.0))
    with pytest.raises(StepFailed, match=r"refused|left alone for 15 seconds"):
        simulate(compiled(OUTAGE % (2, "", "")), {"m": backend})
    assert backend.log.requests == 16 + 8 + 2
    result, backend = solo(OUTAGE % (2, "", ", on_failure: drop"), away(0.5, 999.0))
    assert (len(result.lost), backend.log.requests) == (24, 16 + 8 + 2)
    assert result.seconds == pytest.approx(1 + 30, abs=0.6)


def test_nobody_waits_for_an_endpoint_that_never_answered() -> None:
    result, backend = solo(OUTAGE % (9, "", ", on_failure: drop"), away(0.0, 999.0))
    assert (len(result.lost), backend.log.requests) == (40, 8)
    assert result.seconds < 1.0


def test_a_step_waits_no_longer_for_a_circuit_than_it_has_time() -> None:
    backend = Scripted(away(0.5, 26.0))
    with pytest.raises(StepFailed, match=r"refused|left alone for 15 seconds"):
        simulate(compiled(OUTAGE % (9, "", ", budget: {seconds: 20}")), {"m": backend})
    assert backend.log.requests == 16 + 8 + 1


def test_a_model_that_stands_in_is_asked_at_once_while_a_circuit_is_open() -> None:
    text = OUTAGE.replace("models: {", "models: {o: {model: scripted/y}, ")
    text = text.replace("generate,", "generate, model: m,") % (4, ", fallback: [o]", "")
    first, second = Scripted(away(0.5, 99.0)), Scripted(steady)
    result = simulate(compiled(text), {"m": first, "o": second})
    assert (str(result), first.log.requests, result.lost) == ("4", 16 + 8, ())
    assert result.seconds < 2.0


def test_a_dead_endpoint_is_left_alone() -> None:
    text = (ONE % "retries: 0").replace("generate}", "generate, n: 40, on_failure: drop}")
    text = text.replace("scripted/x,", "scripted/x, concurrency: 1, max_draws: 1,")
    text += "  answer: {op: vote}\n"
    result, backend = solo(text, failing(999, Unreachable("gone")))
    assert result.candidates == ()
    assert (len(result.lost), backend.log.requests) == (40, 8)


def test_requests_a_minute() -> None:
    text = (ONE % "requests_per_minute: 10, max_draws: 1").replace("generate}", "generate, n: 40}")
    text += "  answer: {op: vote}\n"
    result, backend = solo(text, steady, 0.0)
    assert backend.log.requests == 40
    # A leaky bucket of ten, then one every six seconds.
    assert result.seconds == pytest.approx(30 * 6, rel=0.05)


def test_adaptive_slots_rise_fall_and_stay_in_bounds() -> None:
    limit = Adaptive(64, start=8)
    for _ in range(2000):
        limit.replied(1.0)
    assert limit.slots == 64
    limit.overloaded()
    limit.overloaded()
    assert limit.slots == 32
    for _ in range(2000):
        limit.replied(5.0)
    assert limit.slots == 1


def test_adaptive_finds_what_the_endpoint_bears() -> None:
    text = """\
name: p
answer: number
models: {m: {model: scripted/x, concurrency: adaptive, max_draws: 1, retries: 50}}
steps:
  drafts: {op: generate, n: 600}
  answer: {op: vote}
"""

    def reply(request: Request, draw: Draw) -> Script:
        if backend.log.under_way > 20:
            return Script(latency=0.1, fault=RateLimited("too many", retry_after=1.0))
        return Script("4", 1.0)

    backend = Scripted(reply)
    result = simulate(compiled(text), {"m": backend})
    assert str(result) == "4"
    assert 20 <= backend.log.most_under_way <= 45
    # Half of what twenty at once could do, at least.
    assert result.seconds < 2 * 600 / 20


def test_tokens_of_a_request_that_timed_out_are_charged() -> None:
    text = (ONE % "timeout: 5, retries: 0, max_draws: 2").replace(
        "generate}", "generate, n: 2, on_failure: drop}"
    )
    text += "  answer: {op: vote}\n"

    def reply(request: Request, draw: Draw) -> Script:
        return Script("4444 4444", 1.0 if draw.index == 0 else 60.0)

    result, _ = solo(text, reply)
    # The first draw had come; the second is a call that brought nothing.
    assert [one.place for one in result.lost] == [1]
    assert (result.usage.calls, result.usage.completion_tokens) == (2, 2)


def test_a_hedge_is_not_made_beyond_the_budget() -> None:
    text = (ONE % "hedge_after: 10, max_tokens: 4").replace("steps:", "budget: {calls: 1}\nsteps:")
    result, backend = solo(text, steady, 30.0)
    assert (backend.log.asked, result.seconds) == (1, pytest.approx(30.0))


def test_both_of_a_hedge_may_fail() -> None:
    def reply(request: Request, draw: Draw) -> Script:
        return Script(latency=20.0, fault=ServerFailed("boom"))

    backend = Scripted(reply)
    with pytest.raises(StepFailed, match="boom"):
        simulate(compiled(ONE % "hedge_after: 10, retries: 0"), {"m": backend})
    assert (backend.log.asked, backend.log.failed) == (2, 2)


def test_the_second_saves_a_first_that_fails() -> None:
    asked: list[Draw] = []

    def reply(request: Request, draw: Draw) -> Script:
        asked.append(draw)
        if len(asked) == 1:
            return Script(latency=11.0, fault=ServerFailed("boom"))
        return Script("4", 5.0)

    result, backend = solo(ONE % "hedge_after: 10, retries: 0", reply)
    assert (str(result), result.usage.calls, backend.log.failed) == ("4", 2, 1)
