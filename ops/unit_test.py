"""Hold the candidates against tests, and rank them by what they pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..compiler.execution import Limits, Outcome, Tester, Verdict
from ..compiler.model import Capability
from ..compiler.op import All, Amount, Asking, Calls, Context, Flow, Mismatch, Stream
from ..compiler.values import Candidate, Json, Usage
from ._asks import PARSED, with_repair
from ._runs import Runs, code_of
from ._tests import ROLE, WRITE, agreement, single_asserts, tests_of, written
from ._words import WRITE_WORDS, Judge, WordTester, testing

__all__ = ["UnitTest"]

_PYTHON = frozenset({"test_seconds", "seconds", "memory", "sandbox"})
"""Arguments for tests that are programs."""

_WORDS = frozenset({"judge", "most"})
"""Arguments for tests in words."""


class UnitTest(Asking, Runs, All):
    """Hold the candidates against tests, and rank them by what they pass.

    The tests are those in the field `given` of the question, a text or a list of texts; without it
    a model is asked `n` times, independently, to write some.

    `tests: python`: every candidate's program is loaded in a sandbox and every test held against
    it; equal programs run once. Of written tests the assert statements count, each once. A test
    passes only if it held, decided in a process that the program cannot reach; a failure, an error,
    a time-out or too much memory is no pass. A candidate without a program carries no score.

    `tests: words`, for what is no program: each test is a sentence that an answer must meet, `most`
    of them in a reply or in the field, and a judge is asked about each test and each candidate
    apart; equal texts are judged once. A verdict that cannot be read, after one repair turn, is
    counted and left out of the share; a candidate without any carries no score. `judge` is a
    model's name, or a mapping of what it is asked with; the step's own arguments hold for it
    otherwise.

    Adds the score `tests` and the note `tests` with the counts of verdicts and the reason of the
    first that is no pass. `method` says what the score is. `count`: the share of tests passed.
    `dual`: dual agreement, the number of candidates that pass the same tests times the number of
    these tests (with `root`, the square root of the former). `first_pass`: the share, and the first
    candidate in index order that passes all ends it: it alone comes out and no more are drawn; if
    none does, as `count`.

    Yields the best first, of equals the earlier; `keep` of them, all if left out. A candidate
    without a score goes behind all others; without any test none carries one, the order stays, and
    the trace says so.

    CodeT (Chen et al., 2022), whose agreement is `dual`; the unit test generator and evaluator of
    Archon (Saad-Falcon et al., 2024), who judge tests in words; Large Language Monkeys (Brown et
    al., 2024).
    """

    effect = "acts"
    variables: ClassVar[frozenset[str]] = frozenset({"question"})
    required: ClassVar[frozenset[str]] = frozenset({"question"})
    default_prompt: ClassVar[str] = WRITE

    tests: Literal["python", "words"] = "python"
    """Whether tests are programs that run, or sentences that a model judges."""
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
    """Processor time of one test of one program; five times that by the clock."""
    ahead: Annotated[int, Field(ge=1)] = 4
    """With `first_pass`, how many candidates may be under way ahead of what was read."""
    judge: Judge = Judge()
    """Who judges tests in words: a model's name, or a mapping with arguments and a prompt."""
    most: Annotated[int, Field(ge=1, le=256)] = 8
    """The most tests in words that a reply, or the field `given`, may hold."""

    @model_validator(mode="after")
    def _fits_its_tests(self) -> Self:
        """No argument that goes with the other kind of tests."""
        other = _WORDS if self.tests == "python" else _PYTHON
        for name in sorted(self.model_fields_set & other):
            kind = "words" if self.tests == "python" else "python"
            raise ValueError(f"{name} is for `tests: {kind}`, not for `tests: {self.tests}`")
        return self

    @property
    def wording(self) -> str:
        return self.prompt or (WRITE if self.tests == "python" else WRITE_WORDS)

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

    def keeps(self) -> Literal["none", "some", "all"]:
        return "some"

    def calls(self, given: Flow) -> tuple[Calls, ...]:
        writing = with_repair(self.prices(given, Amount(self.n, self.n)))
        asked = () if self.given is not None else (writing,)
        return (*asked, self._judging(given)) if self.tests == "words" else asked

    def _judging(self, given: Flow) -> Calls:
        many = self.most if self.given is not None else self.most * self.n
        judging = with_repair(
            self._judge().prices(given, given.count * Amount(0, many), shown=Amount(1, 1))
        )
        rounds = given.count.high if self.method == "first_pass" else 1
        before = 0 if self.given is not None else 2
        return replace(judging, depth=Amount(0, before + judging.depth.high * rounds))

    def prefers(self) -> Mapping[Capability, str]:
        return PARSED

    def askings(self) -> tuple[Asking, ...]:
        writer = (self,) if self.given is None else ()
        return (*writer, self._judge()) if self.tests == "words" else writer

    def with_askings(self, askings: Sequence[Asking]) -> Self:
        if len(askings) != len(self.askings()):
            raise ValueError(f"{len(askings)} askings for {len(self.askings())}")
        own = self
        for asking in askings:
            if isinstance(asking, type(self)):
                own = asking
        judges = [asking for asking in askings if isinstance(asking, Judge)]
        return own.model_copy(update={"judge": judges[0]}) if judges else own

    def _judge(self) -> Judge:
        """The judge, with the step's own arguments where it gives none."""
        own = {name: getattr(self, name) for name in Asking.model_fields if name != "prompt"}
        unset = {k: v for k, v in own.items() if k not in self.judge.model_fields_set}
        return self.judge.model_copy(update=unset)

    def roles(self) -> frozenset[str]:
        writes = {ROLE} if self.given is None else set()
        return frozenset(writes | ({Judge.role} if self.tests == "words" else set()))

    def unconfined(self) -> bool:
        return self.tests == "python" and super().unconfined()

    def window(self, given: Flow) -> int | None:
        return self.ahead if self.method == "first_pass" else None

    def least(self, given: Flow) -> int:
        return min(1, given.count.low) if self.method == "first_pass" else given.count.low

    def limits(self) -> Limits:
        return replace(super().limits(), test_seconds=self.test_seconds)

    async def run(self, ctx: Context, given: Stream) -> AsyncIterator[Candidate]:
        tests, usage = await self._tests(ctx)
        ctx.note("tests", tests=tests)
        async with self._tester(ctx, tests) as tester:
            if self.method == "first_pass":
                tested = await self._until_one_passes(ctx, given, tester)
            else:
                tested = await self._all_tested(ctx, await given.all(), tester)
        if not tests:
            ctx.note("fallback", why="there are no tests")
        ranked = sorted(_scored(tested, self.method, self.root), key=_best_first)
        for place, candidate in enumerate(ranked[: self.keep]):
            yield candidate.charged(usage) if place == 0 else candidate

    def _tester(self, ctx: Context, tests: tuple[str, ...]) -> AbstractAsyncContextManager[Tester]:
        if self.tests == "words":
            return testing(ctx, self._judge(), tests)
        return ctx.tester(tests, self.limits(), confined=self.sandbox != "none")

    def _held(self, candidate: Candidate) -> str | None:
        """What of a candidate the tests are held against, if it has that."""
        return candidate.text if self.tests == "words" else code_of(candidate)

    async def _until_one_passes(self, ctx: Context, given: Stream, tester: Tester) -> list[_Tested]:
        """The first candidate that passes every test, alone; all of them if none does."""
        read: list[_Tested] = []
        known: dict[str, tuple[Outcome, ...]] = {}
        async for candidate in given:
            held, usage = self._held(candidate), Usage()
            if held is not None and held not in known:
                known[held] = await tester.check(held)
                usage = _spent(tester, held)
            read.append(_Tested(candidate, None if held is None else known[held], usage))
            outcomes = read[-1].outcomes
            if outcomes and all(outcome.passed for outcome in outcomes):
                ctx.note("first pass", read=len(read), stopped=given.left > 0)
                await given.aclose()
                return read[-1:]
        return read

    async def _all_tested(
        self, ctx: Context, candidates: Sequence[Candidate], tester: Tester
    ) -> list[_Tested]:
        """Every candidate with its outcomes; equal programs, or texts, are tested once."""
        held = [self._held(candidate) for candidate in candidates]
        distinct = list(dict.fromkeys(one for one in held if one is not None))
        outcomes = await ctx.together([tester.check(one) for one in distinct])
        known = dict(zip(distinct, outcomes, strict=True))
        tested: list[_Tested] = []
        for candidate, one in zip(candidates, held, strict=True):
            usage = Usage() if one is None or one in held[: len(tested)] else _spent(tester, one)
            tested.append(_Tested(candidate, None if one is None else known[one], usage))
        return tested

    async def _tests(self, ctx: Context) -> tuple[tuple[str, ...], Usage]:
        """The tests, each once, and what asking for them cost."""
        words = self.tests == "words"
        if self.given is not None:
            tests = tests_of(ctx, self.given)
            if words and len(tests) > self.most:
                told = f"the question's field {self.given!r} holds {len(tests)} tests"
                raise ValueError(f"{told}, more than `most: {self.most}`")
            return tests, Usage()
        most = self.most if words else 0
        asked = await ctx.together([written(ctx, self, n, most) for n in range(self.n)])
        texts = [test.strip() for one in asked if one.value for test in one.value.tests]
        if not words:
            texts = [single for text in texts for single in single_asserts(text)]
        tests = tuple(dict.fromkeys(text for text in texts if text))
        return tests, sum((one.usage for one in asked), Usage())


@dataclass(frozen=True, slots=True)
class _Tested:
    """A candidate with its outcomes, None if there is nothing to test in it, and what testing it
    cost beside the time of programs."""

    candidate: Candidate
    outcomes: tuple[Outcome, ...] | None
    usage: Usage


def _spent(tester: Tester, held: str) -> Usage:
    return tester.spent(held) if isinstance(tester, WordTester) else Usage()


def _scored(tested: Sequence[_Tested], method: str, root: bool) -> list[Candidate]:
    """The candidates with their scores and notes, in the order read."""
    held = [one for one in tested if _share(one) is not None]
    rows = [[outcome.passed for outcome in one.outcomes or ()] for one in held]
    worth = iter(agreement(rows, root=root) if method == "dual" else map(_share, held))
    return [_told(one, None if _share(one) is None else next(worth)) for one in tested]


def _share(one: _Tested) -> float | None:
    """The share of tests passed, of those with a verdict; None without any."""
    read = [o.passed for o in one.outcomes or () if o.verdict is not Verdict.UNREADABLE]
    return sum(read) / len(read) if read else None


def _told(one: _Tested, score: float | None) -> Candidate:
    # An earlier score of this name must not stand for this one.
    scores = {name: value for name, value in one.candidate.scores.items() if name != "tests"}
    if score is not None:
        scores["tests"] = score
    outcomes = one.outcomes or ()
    verdicts: dict[str, Json] = dict(Counter(str(outcome.verdict) for outcome in outcomes))
    failed = next((outcome.why for outcome in outcomes if not outcome.passed), "")
    why = "it holds no program" if one.outcomes is None else failed
    seconds = sum(outcome.seconds for outcome in outcomes)
    told = one.candidate.but(scores=scores).noted("tests", {"verdicts": verdicts, "why": why})
    return told.charged(one.usage + Usage(seconds=seconds))


def _best_first(candidate: Candidate) -> tuple[bool, float]:
    score = candidate.scores.get("tests")
    return score is None, -(score or 0.0)
