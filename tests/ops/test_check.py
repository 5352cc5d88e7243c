"""Arithmetic is exact, and nothing but arithmetic is worked out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from polyarch.compiler.values import Candidate, Json, Message, Question
from polyarch.ops.check import Check

from .fake import Fake, candidate


def passed(told: str, *, numbers: Json = None) -> float:
    fields: Mapping[str, Json] = {} if numbers is None else {"numbers": numbers}
    question = Question("24", (Message("user", "24"),), fields)
    op = Check(equals=24, uses=None if numbers is None else "numbers")
    found = asyncio.run(op.one(Fake(question=question), candidate(told)))
    assert found is not None
    return found.scores["check"]


@pytest.mark.parametrize(
    "told",
    ["(10 - 6) * (5 + 4 - 3)", "24", "8 / (3 - 8 / 3)", "0.1 * 240", "2*(3+9)"],
)
def test_what_comes_to_24_passes(told: str) -> None:
    assert passed(told) == 1.0


@pytest.mark.parametrize(
    "told",
    [
        "23.9999999999",
        "1 / 0",
        "2 ** 3 * 3",
        "-(-24)",
        "24 = 24",
        "x",
        "__import__('os')",
        "(" * 200,
    ],
)
def test_what_does_not_fails(told: str) -> None:
    assert passed(told) == 0.0


def test_each_number_is_used_once_and_no_other() -> None:
    assert passed("(10 - 4) * (5 - 1)", numbers=[1, 4, 5, 10]) == 1.0
    assert passed("(10 - 4) * (5 - 1)", numbers="1, 4 5 10") == 1.0
    assert passed("(10 - 4) * 4", numbers=[1, 4, 5, 10]) == 0.0
    assert passed("(10 - 6) * (5 + 1)", numbers=[1, 4, 5, 10]) == 0.0
    assert passed("24 * 1 * 1", numbers=[1, 24]) == 0.0


def test_passing_alone_go_on() -> None:
    async def kept(told: str) -> Candidate | None:
        return await Check(equals=24, keep="passing").one(Fake(), candidate(told))

    assert asyncio.run(kept("25")) is None
    right = asyncio.run(kept("24"))
    assert right is not None
    assert right.scores == {"check": 1.0}
