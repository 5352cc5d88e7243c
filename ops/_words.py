"""Tests in words: who writes them, and who judges them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from ..compiler.execution import Outcome, Verdict
from ..compiler.model import Capability
from ..compiler.op import Asking, Context, Flow, Shown
from ..compiler.values import Purpose, Usage
from ._asks import PARSED, Form, nth

__all__ = ["PASSES", "WRITE_WORDS", "Judge", "Passes", "WordTester", "testing"]

WRITE_WORDS = """\
Here is a question.

### Question
{question}

Write tests for an answer to it, without answering it. Each test is one sentence that a right and \
complete answer must meet, that says exactly what to look for, and that can be checked without the \
other tests. Cover what matters most to whoever asks; leave out what the question does not decide. \
A few good tests are better than many.

Reply with one JSON object and nothing else: {"tests": ["The answer …", …]}"""
"""Asks for tests in words."""

PASSES = """\
Here are a question, an answer that someone gave to it, and a test of the answer.

### Question
{question}

### Answer
{candidate}

### Test
{test}

Does the answer pass the test? Look at nothing but the test: an answer can pass it and be wrong \
otherwise.

Reply with one JSON object and nothing else: \
{"reason": "what decides it", "verdict": "pass" or "fail"}"""
"""Asks for a verdict on one test."""


class Passes(Form):
    """What a judge finds about one test."""

    reason: str
    verdict: Literal["pass", "fail"]


class Judge(Asking):
    """Who judges tests in words, and how. A text is the name of a model."""

    role: ClassVar[str] = "check"
    variables: ClassVar[frozenset[str]] = frozenset({"question", "candidate", "test"})
    required: ClassVar[frozenset[str]] = frozenset({"candidate", "test"})
    default_prompt: ClassVar[str] = PASSES
    movable: ClassVar[bool] = True

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"model": value} if isinstance(value, str) else value

    def flow(self, given: Flow) -> Flow:
        return given

    def prefers(self) -> Mapping[Capability, str]:
        return PARSED

    def shows(self, given: Flow) -> Mapping[str, Shown]:
        return {"candidate": Shown(given.count.high)}


class WordTester:
    """Tests in words, held against texts by a judge. Implements `compiler.execution.Tester`."""

    def __init__(self, ctx: Context, judge: Judge, tests: Sequence[str]) -> None:
        self._ctx = ctx
        self._judge = judge
        self._tests = tests
        self._spent: dict[str, Usage] = {}

    async def check(self, program: str) -> tuple[Outcome, ...]:
        """The outcome of every test for one text, in the order of the tests: pass, fail, or
        unreadable where the judge's verdict could not be read."""
        number = len(self._spent)
        self._spent[program] = Usage()
        return tuple(
            await self._ctx.together(
                [
                    self._one(program, test, nth(number, place))
                    for place, test in enumerate(self._tests)
                ]
            )
        )

    def spent(self, text: str) -> Usage:
        """What it cost to test a text."""
        return self._spent[text]

    async def _one(self, text: str, test: str, index: int) -> Outcome:
        ctx = self._ctx
        asked = await ctx.ask(
            self._judge,
            ctx.fill(self._judge, candidate=text, test=test),
            Purpose(Judge.role, ctx.question.text, (text, test)),
            Passes,
            index=index,
        )
        self._spent[text] += asked.usage
        if asked.value is None:
            return Outcome(Verdict.UNREADABLE, "the judge's verdict could not be read")
        if asked.value.verdict == "pass":
            return Outcome(Verdict.PASS)
        return Outcome(Verdict.FAIL, f"{test} {asked.value.reason}".strip())


@asynccontextmanager
async def testing(ctx: Context, judge: Judge, tests: Sequence[str]) -> AsyncIterator[WordTester]:
    """Tests in words, ready to be held against texts."""
    yield WordTester(ctx, judge, tests)
