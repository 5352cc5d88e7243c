"""A model's concurrency is never exceeded, over all questions, and its line is fair."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from sim import compiled, jitter, judge, random_pipeline

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.runtime.limits import Limit
from polyarch.runtime.session import Session
from polyarch.runtime.virtual import run

TEXT = """\
name: p
answer: number
models:
  m: {{model: scripted/x, max_draws: 1, concurrency: {limit}}}
  o: {{model: scripted/y, max_draws: 1, concurrency: 7}}
steps:
  drafts: {{op: ensemble, members: [m, o], n: 6}}
  checked: {{op: verify, model: m}}
  answer: {{op: vote, weight: verify, stop_at: 0.8, ahead: 3}}
"""


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_concurrency_is_never_exceeded_and_is_used(limit: int) -> None:
    backends = {"m": Scripted(judge, latency=jitter(3)), "o": Scripted(judge, latency=jitter(4))}

    async def main() -> int:
        async with Session(compiled(TEXT.format(limit=limit)), backends=backends) as session:
            told = [r async for r in session.map((f"q{i}" for i in range(30)), concurrency=20)]
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return len(told)

    assert run(main()) == 30
    most = backends["m"].log.most_under_way
    assert most == limit if limit < 100 else most > 20
    assert 1 <= backends["o"].log.most_under_way <= 7
    assert limit <= 2 or backends["o"].log.most_under_way >= 5


def test_limits_hold_for_random_pipelines() -> None:
    for case in range(40):
        plan = compiled(random_pipeline(Random(case)))
        requests = {"m": 0, "o": 0}

        class Counted(Scripted):
            most = 0

        backends = {name: Counted(judge, latency=jitter(case)) for name in requests}

        async def main() -> None:
            async with Session(plan, backends=backends) as session:  # noqa: B023
                async for _ in session.map([f"q{i}" for i in range(6)]):
                    pass

        run(main())
        for name, spec in plan.graph.models.items():
            assert isinstance(spec.concurrency, int)
            drawn = spec.concurrency * (spec.max_draws or 64)
            assert backends[name].log.most_under_way <= drawn


def test_results_come_in_the_order_asked_and_questions_are_taken_as_needed() -> None:
    taken: list[int] = []

    def questions() -> object:
        for i in range(50):
            taken.append(i)
            yield f"q{i}"

    def latency(request: Request, draw: Draw) -> float:
        return 50.0 - int(request.question)

    backend = Scripted(lambda request, draw: f"the answer is {request.question}", latency=latency)
    plan = compiled("name: p\nanswer: number\nmodels: {m: scripted/x}\nsteps: {a: {op: generate}}")

    async def main() -> list[str | None]:
        told = []
        async with Session(plan, backends={"m": backend}) as session:
            async for result in session.map(questions(), concurrency=4):  # type: ignore[arg-type]
                told.append(result.answer)
                assert len(taken) <= len(told) + 8 * 4 + 1
        return told

    assert run(main()) == [str(i) for i in range(50)]
    assert backend.log.most_under_way == 4


def test_a_limit_serves_in_line_and_survives_cancellation() -> None:
    async def main() -> list[str]:
        limit = Limit(1)
        served: list[str] = []

        async def visit(name: str, seconds: float) -> None:
            if not limit.enter():
                await limit.wait()
            try:
                served.append(name)
                await asyncio.sleep(seconds)
            finally:
                limit.leave()

        tasks = [asyncio.ensure_future(visit(name, 1.0)) for name in "abcde"]
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        await asyncio.sleep(0.5)
        # c's turn has come in this very instant; it is cancelled before it can take it.
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert limit.enter()
        assert not limit.enter()
        return served

    served = run(main())
    assert served[0] == "a"
    assert served[-2:] == ["d", "e"]
