"""Going on with less: lost candidates, spent budgets."""

from __future__ import annotations

from random import Random

import pytest
from sim import compiled, jitter, judge, random_pipeline, simulate, solo, steady

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.errors import (
    BudgetExhausted,
    NoAnswer,
    PolyarchError,
    ServerFailed,
    SpecError,
    StepFailed,
)

VOTE = """\
name: p
answer: number
models: {m: {model: scripted/x, max_draws: %d, retries: 0}}
steps:
  drafts: {op: generate, n: 8, on_failure: %s}
  answer: {op: vote}
"""


def broken(*draws: int):  # type: ignore[no-untyped-def]
    def reply(request: Request, draw: Draw) -> str | Script:
        if draw.index in draws:
            return Script(latency=float(draw.index), fault=ServerFailed(f"no {draw.index}"))
        return steady(request, draw)

    return reply


@pytest.mark.parametrize("together", [1, 8])
def test_lost_draws_are_dropped_and_told(together: int) -> None:
    result, _ = solo(VOTE % (together, "drop"), broken(2, 5), 0.0)
    assert str(result) == "4"
    assert result.best is not None
    lost = {one.place for one in result.lost}
    assert {2, 5} <= lost
    assert result.best.notes["votes"] == [["4", 8 - len(lost)]]
    assert result.record()["lost"][0] == {"step": "drafts", "place": 2, "why": "no 2"}  # type: ignore[index]


def test_at_least_so_many() -> None:
    result, _ = solo(VOTE % (1, "{min: 6}"), broken(2, 5))
    assert str(result) == "4"
    with pytest.raises(StepFailed, match="fewer than 7"):
        solo(VOTE % (1, "{min: 7}"), broken(2, 5))


def test_failing_is_the_default() -> None:
    with pytest.raises(StepFailed, match="no 2"):
        solo(VOTE % (1, "fail"), broken(2, 5))


def test_a_lost_judgement_loses_its_candidate() -> None:
    text = """\
name: p
answer: number
models: {m: {model: scripted/x, max_draws: 1, retries: 0}}
output: {from: checked, keep: 3}
steps:
  drafts: {op: generate, n: 3}
  checked: {op: verify, on_failure: drop}
"""

    def reply(request: Request, draw: Draw) -> str | Script:
        if request.purpose.role == "verify" and "draft 1" in request.messages[-1].text:
            return Script(fault=ServerFailed("no"))
        if request.purpose.role == "solve":
            return f"draft {draw.index}"
        return steady(request, draw)

    result, _ = solo(text, reply)
    assert [c.text for c in result.candidates] == ["draft 0", "draft 2"]
    assert [(one.step, one.place) for one in result.lost] == [("checked", 1)]


@pytest.mark.parametrize("wrong", ["maybe", "{min: 0}", "{min: x}", "3"])
def test_on_failure_is_checked(wrong: str) -> None:
    with pytest.raises(SpecError) as caught:
        compiled(VOTE % (1, wrong))
    (fault,) = caught.value.faults
    assert (fault.code, fault.span.line) == ("value", 5)


BEST = """\
name: p
answer: number
budget: {%s, on_budget: best}
models: {m: {model: scripted/x, max_draws: 1, max_tokens: 12}}
steps:
  drafts: {op: generate, n: 6}
  checked: {op: verify}
  answer: {op: vote, weight: verify}
"""


def mumbling(*candidates: int):  # type: ignore[no-untyped-def]
    """A judge whose first word on these candidates cannot be read."""

    def reply(request: Request, draw: Draw) -> str:
        if request.purpose.role == "solve":
            return f"draft {draw.index} says 4"
        shown = request.messages[0].text
        mumbled = any(f"draft {index} says" in shown for index in candidates)
        return "hm" if mumbled and request.turn == 0 else steady(request, draw)

    return reply


def test_the_best_so_far_when_calls_run_out() -> None:
    # 6 drafts and 6 verdicts; for 3 repair turns nothing is left. Their candidates go on without a
    # score and do not vote.
    result, backend = solo(BEST % "calls: 12", mumbling(1, 3, 4), 1.0)
    assert (str(result), backend.log.asked, result.usage.calls) == ("4", 12, 12)
    assert "calls" in result.stopped
    assert [(one.step, one.place) for one in result.lost] == [("checked", i) for i in (1, 3, 4)]
    assert result.best is not None
    assert result.best.notes["votes"] == [["4", 3.0]]


def test_the_best_so_far_when_time_runs_out() -> None:
    def latency(request: Request, draw: Draw) -> float:
        return 1.0 if request.purpose.role == "solve" else 10.0 * (1 + draw.index)

    result, backend = solo(BEST % "seconds: 5", steady, latency)
    assert (str(result), result.seconds) == ("4", pytest.approx(5.0))
    assert "no answer within 5 seconds" in result.stopped
    assert backend.log.cancelled == 6
    # Nobody was judged in time: the vote falls back and says so.
    assert result.best is not None
    assert result.best.notes.get("fallback")


def test_nothing_was_affordable() -> None:
    # The lower bound fits, the upper bound of a single request does not.
    result, backend = solo(BEST % "tokens: 700", steady, 1.0)
    assert result.usage.tokens <= 700
    assert backend.log.asked < 12
    assert result.stopped


def test_a_ranker_out_of_budget_gives_what_it_read() -> None:
    text = """\
name: p
answer: number
budget: {calls: 25, on_budget: best}
models: {m: {model: scripted/x, max_draws: 1, max_tokens: 12}}
output: {from: best, keep: 2}
steps:
  drafts: {op: generate, n: 5}
  best: {op: rank, method: pairwise, keep: 2}
"""
    result, backend = solo(text, mumbling(3))
    assert [c.origin.key for c in result.candidates] == ["drafts[0]", "drafts[1]"]
    assert backend.log.asked == 25


def test_failing_at_a_limit_is_the_default() -> None:
    with pytest.raises(BudgetExhausted):
        solo((BEST % "calls: 12").replace(", on_budget: best", ""), mumbling(1), 1.0)


def flaky(case: int):  # type: ignore[no-untyped-def]
    def reply(request: Request, draw: Draw) -> str | Script:
        dice = Random(f"{case} {request.step} {draw.seed} {request.turn} fault")
        if dice.random() < 0.15:
            return Script(latency=dice.random(), fault=ServerFailed("now and then"))
        return judge(request, draw)

    return reply


def test_no_limit_is_exceeded_and_nothing_hangs() -> None:
    """Random pipelines, latencies, limits, budgets and faults."""
    ends = {"answer": 0, "less": 0, "error": 0}
    for case in range(1000):
        dice = Random(case)
        limits = dice.sample(
            [
                ("calls", dice.randint(3, 60)),
                ("tokens", dice.randint(200, 6000)),
                ("usd", dice.randint(1, 40) / 1000),
                ("seconds", dice.randint(1, 30)),
            ],
            k=dice.randint(1, 3),
        )
        told = ", ".join(f"{unit}: {limit}" for unit, limit in limits)
        told += f", on_budget: {dice.choice(['best', 'fail'])}"
        text = random_pipeline(dice, told)
        if dice.random() < 0.5:
            text = text.replace("  s0: {op: generate,", "  s0: {op: generate, on_failure: drop,")
        backends = {
            "m": Scripted(flaky(case), latency=jitter(case)),
            "o": Scripted(flaky(-case), latency=jitter(-case)),
        }
        try:
            result = simulate(compiled(text), backends, seed=case)
        except PolyarchError as error:
            assert isinstance(error, BudgetExhausted | StepFailed | NoAnswer) or (
                error.code == "plan-refused"
            )
            ends["error"] += 1
            continue
        ends["less" if result.lost else "answer"] += 1
        usage = result.usage
        spent = {
            "calls": usage.calls,
            "tokens": usage.tokens,
            "usd": usage.usd,
            "seconds": result.seconds,
        }
        for unit, limit in limits:
            assert spent[unit] <= limit + 1e-9, (case, unit)
        asked = sum(backend.log.asked for backend in backends.values())
        assert usage.calls == asked, case
    assert min(ends.values()) > 50, ends
