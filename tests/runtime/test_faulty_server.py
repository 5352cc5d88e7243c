"""A server that fails three requests in ten, in every way, in real time: each question ends with an
answer or a typed error, and nothing is left over."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest
from server import BAD, FAULTS, Server
from sim import compiled

from polyarch.compiler.errors import BackendError, BadRequest, StepFailed
from polyarch.runtime.circuit import Circuit
from polyarch.runtime.result import Result
from polyarch.runtime.retry import Retry
from polyarch.runtime.session import Session

QUESTIONS = 40
PIPELINE = """
name: p
answer: number
models:
  m: {{model: openai/m, timeout: 0.5, retries: {retries}, max_draws: {draws}, max_tokens: 40,
      options: {{base_url: "{url}", seed: true, n: true}}}}
steps:
  drafts: {{op: generate, n: 4{more}}}
  best: {{op: rank, orders: 1, keep: 2}}
  fused: {{op: fuse}}
"""


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyarch.runtime.models.Retry", partial(Retry, first=0.005, longest=0.02))
    monkeypatch.setattr("polyarch.runtime.models.Circuit", partial(Circuit, pause=0.05))


async def answered(
    server: Server, *, retries: int = 4, draws: int = 1, more: str = "", mark: str = ""
) -> tuple[list[Result], list[StepFailed]]:
    """What became of every question; every third is marked. Nothing else may be raised."""
    made = compiled(PIPELINE.format(url=server.url, retries=retries, draws=draws, more=more))
    results: list[Result] = []
    failures: list[StepFailed] = []

    async def one(session: Session, number: int) -> None:
        question = f"What is {number}?" + (f" {mark}" if mark and number % 3 == 0 else "")
        try:
            results.append(await session.ask(question, id=str(number)))
        except StepFailed as failure:
            failures.append(failure)

    async with Session(made) as session, asyncio.timeout(30), asyncio.TaskGroup() as group:
        for number in range(QUESTIONS):
            group.create_task(one(session, number))
    return results, failures


async def nothing_is_left(server: Server) -> None:
    by = time.monotonic() + 5.0
    while server.count()["under_way"]:
        assert time.monotonic() < by, server.count()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("draws", [1, 4])
async def test_every_question_ends(draws: int) -> None:
    before = asyncio.all_tasks()
    async with Server(faults=0.3, seed=draws) as server:
        results, failures = await answered(server, draws=draws)
        assert len(results) + len(failures) == QUESTIONS
        assert len(results) > QUESTIONS / 2
        assert all(result.answer is not None for result in results)
        for failure in failures:
            assert isinstance(failure.__cause__, BackendError)
        await nothing_is_left(server)
        counted = server.count()
    assert counted["faults"].keys() == set(FAULTS)
    assert counted["aborted"] >= counted["faults"]["hang"]
    assert asyncio.all_tasks() == before


async def test_lost_drafts_are_gone_on_without() -> None:
    async with Server(faults=0.3, seed=2) as server:
        results, _ = await answered(server, retries=0, more=", on_failure: {min: 1}")
        await nothing_is_left(server)
    assert {one.step for result in results for one in result.lost} == {"drafts"}


@pytest.mark.parametrize("draws", [1, 4])
async def test_what_is_refused_is_not_asked_again(draws: int) -> None:
    async with Server(faults=0.3, seed=3) as server:
        results, failures = await answered(server, draws=draws, mark=BAD)
        await nothing_is_left(server)
        counted = server.count()
    refused = [one for one in failures if isinstance(one.__cause__, BadRequest)]
    assert len(refused) == len(range(0, QUESTIONS, 3))
    assert len(results) + len(failures) == QUESTIONS
    assert counted["by_status"]["400"] > 0
    # Each draw has its seed, so equal bodies are tries of one request.
    assert counted["after_400"] == 0
