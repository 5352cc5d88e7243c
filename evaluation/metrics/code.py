"""Programs held against tests, in the sandbox."""

from __future__ import annotations

import asyncio
import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

from pydantic import Field

from ...compiler.answers import Answer
from ...compiler.answers import Code as Fenced
from ...compiler.errors import InputError
from ...compiler.execution import Executor, Limits, Outcome, Script, Verdict
from ...compiler.values import Json
from ..data.item import Item
from .score import Given, Score

__all__ = ["Code", "program_of", "tests_of"]

_FENCED = Fenced()
_MIB = 1 << 20


@dataclass(frozen=True, eq=False)
class Code:
    """1 for a program that passes every test of the item; with `partial`, the share it passes.

    Tests are the field `test` (a text; with `entry_point`, `check(entry_point)` is called), `tests`
    or `test_list` (texts), or `inputs` and `outputs` (what is read and must be written, compared
    word by word). A completion of the question's own function is put behind it. Each verdict is
    detail. Raises `SandboxFailed` where programs cannot be run apart from everything else.
    """

    name: ClassVar[str] = "code"

    partial: bool = False
    seconds: Annotated[float, Field(gt=0)] = 15.0
    """Wall time of all tests of one program; of one, where it reads its input."""
    test_seconds: Annotated[float, Field(gt=0)] = 3.0
    memory: Annotated[int, Field(ge=32)] = 2048
    """In MiB."""
    _opened: list[Executor] = field(default_factory=list, init=False, repr=False, compare=False)

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """The score of one program."""
        return (await self.score_together(item, [Given(answer, text)]))[0]

    async def score_together(self, item: Item, given: Sequence[Given]) -> list[Score]:
        """The scores of several programs, whose tests are made ready once."""
        programs = [program_of(item, one.answer, one.text) for one in given]
        distinct = list(dict.fromkeys(one for one in programs if one is not None))
        known = dict(zip(distinct, await self._checked(item, distinct), strict=True))
        return [
            Score(0.0, parsed=False) if one is None else self._score(known[one]) for one in programs
        ]

    def _score(self, outcomes: Sequence[Outcome]) -> Score:
        passed = sum(outcome.passed for outcome in outcomes)
        share = passed / len(outcomes)
        why = next((outcome.why for outcome in outcomes if not outcome.passed), "")
        verdicts = [str(outcome.verdict) for outcome in outcomes]
        detail: dict[str, Json] = {"passed": passed, "verdicts": verdicts, "why": why}
        return Score(share if self.partial else float(share == 1.0), detail=detail)

    async def _checked(self, item: Item, programs: Sequence[str]) -> list[Sequence[Outcome]]:
        executor, limits = self._executor(), self._limits()
        pairs = _pairs(item)
        if pairs:
            jobs = [_answers(executor, program, pairs, limits) for program in programs]
            return list(await asyncio.gather(*jobs))
        async with executor.tester(tests_of(item), limits) as tester:
            return list(await asyncio.gather(*(tester.check(program) for program in programs)))

    def _executor(self) -> Executor:
        if not self._opened:
            from ...runtime.sandbox.box import Sandbox

            self._opened.append(Sandbox())
        return self._opened[0]

    def _limits(self) -> Limits:
        return replace(
            Limits(),
            seconds=self.seconds,
            test_seconds=self.test_seconds,
            cpu_seconds=max(1, round(self.seconds)),
            memory=self.memory * _MIB,
        )


def program_of(item: Item, answer: Answer | None, text: str) -> str | None:
    """The program that an answer gives: its fenced block, or the text itself; put behind the
    field `prefix`, else the question, where it only goes on with the function that this begins."""
    if answer is None:
        return None
    found = _FENCED.read(text) if "```" in text or "~~~" in text else None
    source = text if found is None else found.text
    entry = item.fields.get("entry_point")
    if not isinstance(entry, str) or re.search(rf"\bdef\s+{re.escape(entry)}\b", source):
        return source
    first = next((line for line in source.splitlines() if line.strip()), "")
    body = source if first.startswith((" ", "\t")) else textwrap.indent(source, "    ")
    prefix = item.fields.get("prefix")
    return f"{prefix if isinstance(prefix, str) else item.text}\n{body}"


def tests_of(item: Item) -> tuple[str, ...]:
    """The tests of an item, each Python on its own. Raises `InputError` if there are none."""
    fields = item.fields
    setup = fields.get("test_setup_code", fields.get("test_imports", ""))
    before = "\n".join(setup) if isinstance(setup, list | tuple) else str(setup or "")
    for name in ("tests", "test_list"):
        listed = fields.get(name)
        if isinstance(listed, list | tuple) and listed:
            return tuple(f"{before}\n{test}".strip() for test in listed)
    test, entry = fields.get("test"), fields.get("entry_point")
    if isinstance(test, str) and test.strip():
        return (f"{test}\ncheck({entry})\n" if isinstance(entry, str) else test,)
    raise InputError(f"item {item.id!r}: no tests; a row has test, tests, or inputs and outputs")


def _pairs(item: Item) -> list[tuple[str, str]]:
    """What a program is given to read, and what it must write."""
    told = [item.fields.get("inputs"), item.fields.get("outputs")]
    inputs, outputs = (json.loads(one) if isinstance(one, str) else one for one in told)
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        return []
    return [(str(given), str(wanted)) for given, wanted in zip(inputs, outputs, strict=True)]


async def _answers(
    executor: Executor, program: str, pairs: Sequence[tuple[str, str]], limits: Limits
) -> list[Outcome]:
    """What becomes of a program on each input."""
    outcomes: list[Outcome] = []
    for given, wanted in pairs:
        ran = await executor.run(Script(program, stdin=given), limits)
        if ran.passed and ran.stdout.split() != wanted.split():
            ran = replace(ran, verdict=Verdict.FAIL, why="it wrote something else")
        outcomes.append(ran)
    return outcomes
