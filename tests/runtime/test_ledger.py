"""No budget is ever exceeded, and what a run may not do it says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from random import Random

import pytest
from sim import compiled, jitter, judge, random_pipeline, simulate, steady

from polyarch.backends.base import Piece, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.errors import BudgetExhausted, NoAnswer, PlanRefused
from polyarch.compiler.model import Price
from polyarch.compiler.spec import Budget
from polyarch.compiler.values import Usage
from polyarch.runtime.ledger import Ledger, Reservation
from polyarch.runtime.virtual import run

PRICES = {"m": Price(2, 7), "o": Price(1, 3)}


class Metered(Scripted):
    """Counts what it hands out, whatever the runtime makes of it."""

    prompt = 0
    completion = 0

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        pieces = super().generate(request)
        try:
            async for piece in pieces:
                self.prompt += piece.prompt_tokens
                self.completion += piece.completion_tokens
                yield piece
        finally:
            await pieces.aclose()


def spent(backends: dict[str, Metered]) -> Usage:
    return sum(
        (
            Usage(
                calls=backend.log.asked,
                prompt_tokens=backend.prompt,
                completion_tokens=backend.completion,
                usd=PRICES[name].usd(backend.prompt, backend.completion),
            )
            for name, backend in backends.items()
        ),
        Usage(),
    )


def test_no_budget_is_exceeded_at_any_concurrency() -> None:
    outcomes: Counter[str] = Counter()
    for case in range(300):
        dice = Random(case)
        limits = {
            "calls": dice.choice([None, dice.randint(4, 60)]),
            "tokens": dice.choice([None, dice.randint(400, 20_000)]),
            "usd": dice.choice([None, dice.randint(400, 60_000) / 1e6]),
        }
        budget = ", ".join(f"{k}: {v}" for k, v in limits.items() if v is not None)
        plan = compiled(random_pipeline(dice, budget))
        backends = {name: Metered(judge, latency=jitter(case)) for name in "mo"}
        try:
            result = simulate(plan, backends, seed=case)
        except (BudgetExhausted, PlanRefused, NoAnswer) as error:
            outcomes[error.code] += 1
        else:
            outcomes["answered"] += 1
            total = spent(backends)
            assert result.usage.calls == total.calls
            assert result.usage.prompt_tokens == total.prompt_tokens
            assert result.usage.completion_tokens == total.completion_tokens
            assert result.usage.usd == pytest.approx(total.usd)
        used = spent(backends)
        assert used.calls <= (limits["calls"] or used.calls), case
        assert used.tokens <= (limits["tokens"] or used.tokens), case
        assert used.usd <= (limits["usd"] or used.usd) + 1e-15, case
    assert outcomes["answered"] > 60
    assert outcomes["budget-exhausted"] > 15


def test_a_budget_that_just_holds_is_enough() -> None:
    """Sixteen drafts and sixteen verdicts are 32 calls: 32 will do, 31 will not."""
    text = """\
name: p
budget: {{calls: {calls}}}
answer: number
models: {{m: scripted/x}}
steps:
  drafts: {{op: generate, n: 16}}
  checked: {{op: verify}}
  answer: {{op: vote}}
"""
    result = simulate(compiled(text.format(calls=32)), {"m": Scripted(steady)})
    assert result.usage.calls == 32
    with pytest.raises(PlanRefused):
        simulate(compiled(text.format(calls=31)), {"m": Scripted(steady)})


def test_exhaustion_says_what_is_lacking() -> None:
    text = """\
name: costly
budget: {calls: 6}
answer: number
models: {m: {model: scripted/x, max_draws: 1}}
steps:
  drafts: {op: generate, n: 3}
  checked: {op: verify}
  answer: {op: vote}
"""
    mumbling = Scripted(lambda request, draw: "the answer is 4", latency=1.0)
    with pytest.raises(BudgetExhausted) as caught:
        simulate(compiled(text), {"m": mumbling})
    assert str(caught.value) == "costly: the next request may need 1 calls, and 0 of 6 are left"
    assert mumbling.log.asked == 6


def test_a_request_waits_for_what_others_may_give_back() -> None:
    """Room for two bounds at once; each settles for a fraction of its bound."""
    text = """\
name: p
budget: {tokens: 1000}
answer: number
models: {m: {model: scripted/x, max_draws: 1, max_tokens: 400}}
steps:
  drafts: {op: generate, n: 12}
  answer: {op: vote}
"""
    backend = Scripted(steady, latency=1.0)
    result = simulate(compiled(text), {"m": backend})
    assert backend.log.most_under_way == 2
    assert result.usage.calls == 12
    assert result.seconds == 6.0


def test_a_deadline_is_a_budget() -> None:
    text = """\
name: slow
budget: {seconds: 2.5}
models: {m: {model: scripted/x, max_draws: 1}}
steps: {answer: {op: generate}}
"""
    backend = Scripted(steady, latency=60.0)
    with pytest.raises(BudgetExhausted, match=r"slow: no answer within 2.5 seconds"):
        simulate(compiled(text), {"m": backend})
    assert backend.log.cancelled == 1
    quick = Scripted(steady, latency=2.0)
    assert simulate(compiled(text), {"m": quick}).seconds == 2.0


INNER = """\
name: inner
budget: {%s}
answer: number
models: {w: {model: scripted/z, max_draws: 1}}
steps:
  drafts: {op: generate, n: 4}
  answer: {op: vote, stop_at: exact}
"""

OUTER = """\
name: outer
budget: {%s}
answer: number
models: {m: {model: scripted/x, max_draws: 1}}
steps:
  one: {op: pipeline, file: inner.yaml}
  two: {op: pipeline, file: inner.yaml}
  own: {op: generate, n: 2, model: m}
  answer: {op: vote, from: [one, two, own]}
"""


def nested(folder: Path, inner: str, outer: str) -> dict[str, Scripted]:
    (folder / "inner.yaml").write_text(INNER % inner)
    plan = compiled(OUTER % outer, folder)
    backends = {name: Scripted(judge, latency=jitter(1)) for name in plan.graph.models}
    simulate(plan, backends, seed=1)
    return backends


def test_budgets_nest(tmp_path: Path) -> None:
    backends = nested(tmp_path, "calls: 4", "calls: 10")
    assert sum(backend.log.asked for backend in backends.values()) <= 10
    with pytest.raises(PlanRefused, match=r"one needs at least 3 calls .* budget is 2"):
        nested(tmp_path, "calls: 2", "calls: 10")
    with pytest.raises(PlanRefused, match="outer needs at least 8 calls"):
        nested(tmp_path, "calls: 4", "calls: 7")
    with pytest.raises(BudgetExhausted, match=r"^(one|two): the next request may need"):
        nested(tmp_path, "tokens: 285", "")
    with pytest.raises(BudgetExhausted, match=r"^outer: the next request may need"):
        nested(tmp_path, "calls: 4", "tokens: 290")


def test_a_deadline_of_a_pipeline_used_as_a_step(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text(INNER % "seconds: 3")
    plan = compiled(OUTER % "seconds: 100", tmp_path)
    with pytest.raises(BudgetExhausted, match=r"^(one|two): no answer within 3 seconds"):
        simulate(plan, {n: Scripted(steady, latency=8.0) for n in plan.graph.models})
    result = simulate(plan, {n: Scripted(steady, latency=2.0) for n in plan.graph.models})
    assert result.answer == "4"


def test_accounts_add_up() -> None:
    async def main() -> None:
        outer = Ledger("outer", Budget(calls=5, tokens=100))
        inner = Ledger("inner", Budget(calls=3), outer)
        assert outer.limited
        assert inner.limited
        first = Reservation(2, 60, 0.0)
        await inner.reserve(first)
        waiting = asyncio.ensure_future(inner.reserve(Reservation(2, 10, 0.0)))
        await asyncio.sleep(0)
        assert not waiting.done()
        inner.settle(first, Usage(calls=1, prompt_tokens=20, completion_tokens=5))
        await waiting
        inner.settle(Reservation(2, 10, 0.0), Usage(calls=2, prompt_tokens=10))
        assert inner.spent == outer.spent == Usage(3, 30, 0, 5)
        with pytest.raises(BudgetExhausted, match=r"inner: .* 1 calls, and 0 of 3"):
            await inner.reserve(Reservation(1, 1, 0.0))
        with pytest.raises(BudgetExhausted, match=r"outer: .* 66 tokens, and 65 of 100"):
            await outer.reserve(Reservation(1, 66, 0.0))
        assert not Ledger("free", Budget()).limited

    run(main())


def test_a_waiter_that_is_cancelled_is_forgotten() -> None:
    async def main() -> None:
        ledger = Ledger("l", Budget(calls=1))
        held = Reservation(1, 0, 0.0)
        await ledger.reserve(held)
        first = asyncio.ensure_future(ledger.reserve(held))
        second = asyncio.ensure_future(ledger.reserve(held))
        await asyncio.sleep(0)
        first.cancel()
        ledger.settle(held, Usage())
        await second
        assert first.cancelled()

    run(main())
