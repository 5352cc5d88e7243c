"""Run the candidates' programs against tests, and rank them by what they pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from ..compiler.execution import Limits, Outcome, Tester
from ..compiler.model import Capability
from ..compiler.op import All, Amount, Asking, Calls, Context, Flow, Mismatch, Stream
from ..compiler.values import Candidate, Json, Purpose, Usage
from ._asks import PARSED, Form, with_repair
from ._runs import Runs, code_of
from ._tests import agreement, given_tests, single_asserts

__all__ = ["PROMPT", "UnitTest", "WrittenTests"]

PROMPT = """\
Here is a programming task.

### Task
{question}

Write tests for a program that solves it, without writing the program. Each test is one Python \
assert statement that calls what the task asks for with given arguments and compares the result \
with what it must be. Cover ordinary cases, limits and what is easily got wrong; leave out what \
the task does not decide.

Reply with one JSON object and nothing else: {"tests": ["assert f(1) == 2", …]}"""
"""Asks for tests."""


class WrittenTests(Form):
    """What a writer of tests fills in."""

    tests: tuple[str, ...]


class UnitTest(Asking, Runs, All):
    """Run the candidates' programs against tests, and rank them by what they pass.

    The tests are those in the field `given` of the question, a text or a list of texts; without it
    a model is asked `n` times, independently, to write some, of which assert statements count, each
    once. Every candidate's program is loaded in a sandbox and every test held against it; equal
    programs run once. A test passes only if it held, decided in a process that the program cannot
    reach; a failure, an error, a time-out or too much memory is no pass.

    Adds the score `tests` and the note `tests` with the counts of verdicts and the reason of the
    first that is no pass. `method` says what the score is. `count`: the share of tests passed.
    `dual`: dual agreement, the number of programs that pass the same tests times the number of
    these tests (with `root`, the square root of the former). `first_pass`: the share, and the first
    candidate in index order that passes all ends it: it alone comes out and no more are drawn; if
    none does, as `count`.

    Yields the best first, of equals the earlier; `keep` of them, all if left out. A candidate
    without a program carries no score and goes behind all others; without any test none carries
    one, the order stays, and the trace says so.

    CodeT (Chen et al., 2022), whose agreement is `dual`; the unit test generator and evaluator of
    Archon (Saad-Falcon et al., 2024); Large Language Monkeys (Brown et al., 2024).
    """

    effect = "acts"
    variables: ClassVar[frozenset[str]] = frozenset({"question"})
    required: ClassVar[frozenset[str]] = frozenset({"question"})
    default_prompt: ClassVar[str] = PROMPT

    method: Literal["count", "dual", "first_pass"] = "count"
    """How a candidate is scored."""
    given: Annotated[str, Field(min_length=1)] | None = None
    """The question's field with the tests; None has a model write them."""
    n: Annotated[int, Field(ge=1)] = 1
    """How many times tests are asked for."""
    keep: Annotated[int, Field(ge=1)] | None = None
    """How many come out, best first; None lets all through."""
    root: bool = False
    """With `dual`, take the square root of the number of programs."""
    test_seconds: Annotated[float, Field(gt=0, le=600)] = 2.0
    """Wall time of one test of one program."""
    ahead: Annotated[int, Field(ge=1)] = 4
    """With `first_pass`, how many candidates may be under way ahead of what was read."""

    def flow(self, given: Flow) -> Flow:
        """The score is promised although a candidate may hold no program."""
        if given.count.high == 0:
            raise Mismatch("tests over nothing")
        if self.root and self.method != "dual":
            raise Mismatch("`root` goes with `method: dual`", "root")
        if self.method == "dual" and given.count.high == 1:
            raise Mismatch("one program agrees with nobody", "method")
        most = min(self.keep or given.count.high, given.count.high)
        low = min(1 if self.method == "first_pass" else most, given.count.low)
        return given.with_count(low, most).adding(("tests",), ("tests",))

    def prefers(self) -> Mapping[Capability, str]:
        return {} if self.given else PARSED

    def keeps(self) -> Literal["none", "some", "all"]:
        return "some"

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        if self.given is not None:
            return ()
        return (with_repair(self.prices(given, Amount(self.n, self.n))),)

    def askings(self) -> tuple[Asking, ...]:
        return () if self.given is not None else (self,)

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        return self if self.given is not None else super().with_askings(askings)

    def roles(self) -> frozenset[str]:
        return frozenset() if self.given is not None else frozenset({"write_tests"})

    def window(self, given: Flow) -> int | None:
        return self.ahead if self.method == "first_pass" else None

    def least(self, given: Flow) -> int:
        return min(1, given.count.low) if self.method == "first_pass" else given.count.low

    def limits(self) -> Limits:
        return replace(super().limits(), test_seconds=self.test_seconds)

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        tests, usage = await self._tests(ctx)
        ctx.note("tests", tests=tests)
        confined = self.sandbox != "none"
        async with ctx.tester(tests, self.limits(), confined=confined) as tester:
            if self.method == "first_pass":
                tested = await self._until_one_passes(ctx, given, tester)
            else:
                tested = await _all_tested(ctx, await given.all(), tester)
        if not tests:
            ctx.note("fallback", why="there are no tests")
        ranked = sorted(_scored(tested, self.method, self.root), key=_best_first)
        for place, candidate in enumerate(ranked[: self.keep]):
            yield candidate.charged(usage) if place == 0 else candidate

    async def _until_one_passes(self, ctx: Context, given: Stream, tester: Tester) -> list[_Tested]:
        """The first candidate that passes every test, alone; all of them if none does."""
        read: list[_Tested] = []
        known: dict[str, tuple[Outcome, ...]] = {}
        async for candidate in given:
            program = code_of(candidate)
            if program is not None and program not in known:
                known[program] = await tester.check(program)
            outcomes = None if program is None else known[program]
            read.append((candidate, outcomes))
            if outcomes and all(outcome.passed for outcome in outcomes):
                ctx.note("first pass", read=len(read), stopped=given.left > 0)
                await given.aclose()
                return read[-1:]
        return read

    async def _tests(self, ctx: Context) -> tuple[tuple[str, ...], Usage]:
        """The tests, each once, and what asking for them cost."""
        if self.given is not None:
            if self.given not in ctx.question.fields:
                raise ValueError(f"the question has no field {self.given!r} with tests")
            tests = given_tests(ctx.question.fields[self.given])
            return tuple(dict.fromkeys(tests)), Usage()
        text, purpose = ctx.fill(self), Purpose("write_tests", ctx.question.text)
        asked = await ctx.together(
            [ctx.ask(self, text, purpose, WrittenTests, index=n) for n in range(self.n)]
        )
        written = [test for one in asked if one.value for test in one.value.tests]
        asserts = [a for test in written for a in single_asserts(test)]
        return tuple(dict.fromkeys(asserts)), sum((one.usage for one in asked), Usage())


_Tested = tuple[Candidate, "tuple[Outcome, ...] | None"]
"""A candidate with its outcomes; None if it holds no program."""


async def _all_tested(
    ctx: Context, candidates: Sequence[Candidate], tester: Tester
) -> list[_Tested]:
    """Every candidate with its outcomes; equal programs run once."""
    programs = [code_of(candidate) for candidate in candidates]
    distinct = list(dict.fromkeys(program for program in programs if program is not None))
    outcomes = await ctx.together([tester.check(program) for program in distinct])
    known = dict(zip(distinct, outcomes, strict=True))
    return [
        (candidate, None if program is None else known[program])
        for candidate, program in zip(candidates, programs, strict=True)
    ]


def _scored(tested: Sequence[_Tested], method: str, root: bool) -> list[Candidate]:
    """The candidates with their scores and notes, in the order read."""
    rows = [[outcome.passed for outcome in outcomes or ()] for _, outcomes in tested]
    held = [row for row in rows if row]
    worth = iter(agreement(held, root=root) if method == "dual" else map(_share, held))
    return [
        _told(candidate, outcomes, next(worth) if row else None)
        for (candidate, outcomes), row in zip(tested, rows, strict=True)
    ]


def _share(row: Sequence[bool]) -> float:
    return sum(row) / len(row)


def _told(
    candidate: Candidate, outcomes: tuple[Outcome, ...] | None, score: float | None
) -> Candidate:
    # An earlier score of this name must not stand for this one.
    scores = {name: value for name, value in candidate.scores.items() if name != "tests"}
    if score is not None:
        scores["tests"] = score
    verdicts = Counter(str(outcome.verdict) for outcome in outcomes or ())
    note: dict[str, Json] = {
        "verdicts": dict(verdicts),
        "why": next((o.why for o in outcomes or () if not o.passed), ""),
    }
    if outcomes is None:
        note["why"] = "it holds no program"
    seconds = sum(outcome.seconds for outcome in outcomes or ())
    told = candidate.but(scores=scores).noted("tests", note)
    return told.charged(Usage(seconds=seconds))


def _best_first(candidate: Candidate) -> tuple[bool, float]:
    score = candidate.scores.get("tests")
    return score is None, -(score or 0.0)
