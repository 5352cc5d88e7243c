"""A budget is split between solving and verifying as enumeration says it should be."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from sim import compiled

from polyarch import pipelines
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.space import open_space
from polyarch.runtime.session import Session
from polyarch.runtime.virtual import run

RIGHT, TEMPTING, VERDICT = 0.3, 0.5, 0.75
"""How often the right answer is drawn, and one wrong one; how often a verdict is right."""
BUDGET = 32


def drawn(dice: Random) -> str:
    at = dice.random()
    return "0" if at < RIGHT else "1" if at < RIGHT + TEMPTING else str(dice.randint(2, 6))


def said(dice: Random, answer: str) -> bool:
    return (dice.random() < VERDICT) == (answer == "0")


def expected(solutions: int, verdicts: int, times: int = 4000) -> float:
    """How often the vote is right, by simulating nothing but the vote."""
    dice, right = Random(0), 0
    for _ in range(times):
        votes: dict[str, float] = {}
        for _ in range(solutions):
            answer = drawn(dice)
            share = sum(said(dice, answer) for _ in range(verdicts)) / max(1, verdicts)
            votes[answer] = votes.get(answer, 0.0) + (share if verdicts else 1.0)
        right += max(votes, key=votes.__getitem__) == "0"
    return right / times


def reply(request: Request, draw: Draw) -> str:
    dice = Random(draw.seed)
    if request.purpose.role == "verify":
        verdict = "right" if said(dice, request.purpose.shown[0]) else "wrong"
        return json.dumps({"reason": "", "verdict": verdict})
    return drawn(dice)


def measured(solutions: int, verdicts: int, questions: int) -> float:
    checked = f"  checked: {{op: verify, votes: {verdicts}}}\n" if verdicts else ""
    weight = ", weight: verify" if verdicts else ""
    text = (
        "name: p\nanswer: number\nmodels: {m: {model: scripted/x, max_tokens: 20}}\nsteps:\n"
        f"  drafts: {{op: generate, n: {solutions}}}\n{checked}  answer: {{op: vote{weight}}}\n"
    )

    async def main() -> float:
        async with Session(compiled(text), backends={"m": Scripted(reply)}) as session:
            asked = [f"q{number}" for number in range(questions)]
            answers = [result.answer async for result in session.map(asked)]
        return answers.count("0") / questions

    return run(main())


def test_the_space_holds_every_split_within_the_budget_and_the_plain_vote() -> None:
    space = open_space(Path(pipelines.path("open/solve_or_verify")))
    splits = set()
    for choice in space.points():
        votes = choice.get("steps.checked.votes")
        splits.add(
            ((32, 2, 4, 8, 16)[choice["steps.drafts.n"]], 0 if votes is None else (1, 3, 7)[votes])
        )
    assert all(n * (1 + votes) <= BUDGET for n, votes in splits)
    assert {(32, 0), (16, 1), (8, 3), (4, 7)} <= splits


def test_the_best_split_is_neither_all_drafts_nor_most_verdicts() -> None:
    chances = {split: expected(*split) for split in ((32, 0), (16, 1), (8, 3), (4, 7))}
    assert max(chances, key=chances.__getitem__) == (16, 1)
    found = {split: measured(*split, questions=50) for split in ((32, 0), (16, 1))}
    for split, share in found.items():
        assert share == pytest.approx(chances[split], abs=0.2)
    assert found[16, 1] > found[32, 0] + 0.3
