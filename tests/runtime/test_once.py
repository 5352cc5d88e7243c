"""What a step's candidates share is made once, by nobody in particular, and left with the last."""

from __future__ import annotations

import asyncio
import json

import pytest
from sim import compiled, simulate

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.runtime.once import Once
from polyarch.runtime.result import Result

PIPELINE = """
name: constrained
models: {m: scripted/m}
steps:
  drafts: {op: generate, n: 8}
  checked: {op: verify, method: constraints, keep_at: 1}
  answer: {op: select, by: first}
"""


def reply(request: Request, draw: Draw) -> str:
    match request.purpose.role:
        case "solve":
            return f"draft {draw.index}"
        case "list_constraints":
            return json.dumps({"constraints": ["It is even.", f"Seed {draw.seed}."]})
    met = request.purpose.shown[0] not in ("draft 0", "draft 1")
    return json.dumps({"reason": "", "verdict": "met" if met else "not met"})


def run(latency: dict[str, float], seed: int = 0) -> tuple[Result, Scripted]:
    def takes(request: Request, draw: Draw) -> float:
        return latency.get(request.purpose.role, 0.1) + 0.01 * (draw.index % 3)

    backend = Scripted(reply, latency=takes, keep=True)
    return simulate(compiled(PIPELINE), {"m": backend}, seed=seed), backend


def test_constraints_are_asked_for_once_and_the_rest_stops_early() -> None:
    result, backend = run({"check": 1.0})
    assert str(result) == "draft 2"
    roles = [request.purpose.role for request in backend.log.seen]
    assert roles.count("list_constraints") == 1
    assert backend.log.asked < 8 + 1 + 16


def test_what_is_shared_does_not_depend_on_who_comes_first() -> None:
    texts = set()
    for latency in ({}, {"solve": 3.0}, {"list_constraints": 9.0, "check": 0.0}):
        result, _ = run(latency, seed=5)
        assert result.best is not None
        verdict = result.best.notes["verdict"]
        assert isinstance(verdict, dict)
        texts.add(json.dumps(verdict["checks"]))
    assert len(texts) == 1


def test_an_error_of_what_is_shared_is_told() -> None:
    def failing(request: Request, draw: Draw) -> str | Script:
        if request.purpose.role == "list_constraints":
            raise RuntimeError("no")
        return reply(request, draw)

    with pytest.raises(Exception, match="no"):
        simulate(compiled(PIPELINE), {"m": Scripted(failing)})


def test_work_nobody_waits_for_is_cancelled_and_begun_anew_for_the_next() -> None:
    begun = ended = 0

    async def work() -> int:
        nonlocal begun, ended
        begun += 1
        await asyncio.sleep(0.01)
        ended += 1
        return 7

    async def main() -> list[int]:
        once = Once()
        waiting = [asyncio.create_task(once.get("w", work)) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert not waiting[1].done()
        waiting[1].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return list(await asyncio.gather(*(once.get("w", work) for _ in range(3))))

    assert asyncio.run(main()) == [7, 7, 7]
    assert (begun, ended) == (2, 1)
