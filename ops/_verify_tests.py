"""The method of `verify` that runs a candidate's program against tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..compiler.op import Amount, Calls, Context, Flow
from ..compiler.values import Candidate, Usage
from ._asks import with_repair
from ._runs import code_of
from ._tests import ROLE, WRITE, single_asserts, tests_of, written
from ._verify import Check, Found, Method

if TYPE_CHECKING:
    from .verify import Verify

__all__ = ["Tests"]


class Tests(Method):
    """The program passes the tests of a field, or tests that a model writes once."""

    prompt: ClassVar[str] = WRITE
    shown: ClassVar[frozenset[str]] = frozenset({"question"})
    required: ClassVar[frozenset[str]] = frozenset({"question"})
    takes: ClassVar[frozenset[str]] = frozenset({"given", "seconds", "memory", "sandbox"})

    def asks(self, op: Verify) -> bool:
        return op.given is None

    def roles(self, op: Verify) -> frozenset[str]:
        return frozenset({ROLE} if op.given is None else ())

    def calls(self, op: Verify, given: Flow) -> tuple[Calls, ...]:
        if op.given is not None:
            return ()
        once = Amount(0, min(1, given.count.high))
        return (with_repair(op.prices(given, once)),)

    async def found(self, op: Verify, ctx: Context, candidate: Candidate) -> Found:
        program = code_of(candidate)
        if program is None:
            return Found((), Usage(), listed=True, why="it holds no program")
        if op.given is None:
            tests = await ctx.once("tests", lambda shared: _written(op, shared))
        else:
            tests = tests_of(ctx, op.given)
        confined = op.sandbox != "none"
        async with ctx.tester(tests, op.limits(), confined=confined) as tester:
            outcomes = await tester.check(program)
        checks = tuple(
            Check("right" if outcome.passed else "wrong", outcome.why, test)
            for test, outcome in zip(tests, outcomes, strict=True)
        )
        usage = Usage(seconds=sum(outcome.seconds for outcome in outcomes))
        return Found(checks, usage, listed=True, why="there are no tests")


async def _written(op: Verify, ctx: Context) -> tuple[str, ...]:
    """Tests that a model writes for the question: assert statements, each once."""
    asked = await written(ctx, op, 0)
    texts = asked.value.tests if asked.value else ()
    tests = tuple(dict.fromkeys(test for text in texts for test in single_asserts(text)))
    ctx.note("tests", tests=tests)
    return tests
