"""A context and a stream for operators alone: replies come from a function, nothing is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import accumulate
from random import Random
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from polyarch.compiler.answers import Answer, AnswerKind, answer_kind
from polyarch.compiler.execution import Limits, Outcome, Script
from polyarch.compiler.op import (
    PLAIN,
    All,
    Amount,
    Asked,
    Asking,
    Each,
    Flow,
    Reply,
    Source,
    Wishes,
)
from polyarch.compiler.template import Template
from polyarch.compiler.values import Candidate, Json, Message, Origin, Purpose, Question, Usage

__all__ = [
    "Call",
    "Fake",
    "FakeTester",
    "Fed",
    "candidate",
    "candidates",
    "decide",
    "draw",
    "flow",
    "judge",
    "says",
]

T = TypeVar("T")
FormT = TypeVar("FormT", bound=BaseModel)

SYSTEM = Message("system", "Be brief.")


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the fake saw it. `turn` is 1 for a repair turn."""

    role: str
    shown: tuple[str, ...]
    text: str
    index: int
    turn: int
    model: str | None
    messages: tuple[Message, ...] = ()
    wishes: Wishes = PLAIN


Saying = Callable[[Call], str | Reply]


def says(*replies: str | Reply) -> Saying:
    """A script that says these, one after the other; the last one for ever."""
    left = list(replies)
    return lambda call: left.pop(0) if len(left) > 1 else left[0]


Runner = Callable[[str], Outcome]
"""What becomes of a program; of a test held against one, it is given both, a line between."""


def _no_runs(source: str) -> Outcome:
    raise AssertionError(f"nothing was to run, and this did: {source}")


@dataclass
class Fake:
    """A context whose model says what `script` returns."""

    script: Saying = field(default_factory=lambda: says("42"))
    answer: AnswerKind = field(default_factory=lambda: answer_kind("number"))
    question: Question = field(
        default_factory=lambda: Question(
            "What is 6 * 7?", (SYSTEM, Message("user", "What is 6 * 7?"))
        )
    )
    step: str = "here"
    calls: list[Call] = field(default_factory=list)
    notes: list[tuple[str, dict[str, Json]]] = field(default_factory=list)
    unreadable: int = 0
    runner: Runner = _no_runs
    ran: list[str] = field(default_factory=list)
    limits: list[Limits] = field(default_factory=list)
    confined: list[bool] = field(default_factory=list)
    shared: dict[str, asyncio.Future[Any]] = field(default_factory=dict)

    def fill(self, asking: Asking, **values: str) -> str:
        template = Template(asking.wording, asking.variables)
        return template.fill({**values, "question": self.question.text})

    async def sample(
        self,
        asking: Asking,
        messages: tuple[Message, ...],
        purpose: Purpose,
        draws: range,
        wishes: Wishes = PLAIN,
    ) -> list[Reply]:
        replies = []
        for index in draws:
            await asyncio.sleep(0)
            said = self._say(asking, messages, messages[-1].text, purpose, index, 0, wishes)
            reply = Reply(index, "", asking.model or "", "stop", Usage(calls=1))
            if isinstance(said, str):
                replies.append(replace(reply, text=said))
            else:
                replies.append(replace(said, index=index, model=reply.model, usage=reply.usage))
        return replies

    async def ask(
        self,
        asking: Asking,
        text: str,
        purpose: Purpose,
        form: type[FormT],
        *,
        index: int,
        check: Callable[[FormT], str] | None = None,
    ) -> Asked[FormT]:
        for turn in (0, 1):
            await asyncio.sleep(0)
            reply = self._say(asking, (), text, purpose, index, turn, PLAIN)
            assert isinstance(reply, str)
            try:
                value = form.model_validate_json(reply, strict=True)
            except ValidationError:
                continue
            if check is None or not check(value):
                return Asked(value, Usage(calls=turn + 1))
        self.unreadable += 1
        return Asked(None, Usage(calls=2))

    async def execute(self, script: Script, limits: Limits, *, confined: bool = True) -> Outcome:
        await asyncio.sleep(0)
        self._run_as(limits, confined)
        self.ran.append(script.source)
        return self.runner(script.source)

    @asynccontextmanager
    async def tester(
        self, tests: Sequence[str], limits: Limits, *, confined: bool = True
    ) -> AsyncIterator[FakeTester]:
        self._run_as(limits, confined)
        yield FakeTester(self, tests)

    def _run_as(self, limits: Limits, confined: bool) -> None:
        self.limits.append(limits)
        self.confined.append(confined)

    def candidate(
        self, reply: Reply, *, index: int, parents: Sequence[Candidate] = ()
    ) -> Candidate:
        keys = tuple(parent.origin.key for parent in parents)
        origin = Origin(self.step, index, reply.model, keys)
        answer = self.answer.read(reply.text)
        return Candidate(reply.text, answer, origin, usage=reply.usage, finish=reply.finish)

    def count_unreadable(self, reply: Reply, why: str) -> None:
        self.unreadable += 1

    def rng(self, *names: str | int) -> Random:
        return Random(repr(names))

    def note(self, what: str, **data: Json) -> None:
        json.dumps(data)
        self.notes.append((what, data))

    async def together(self, jobs: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        return list(await asyncio.gather(*jobs))

    async def once(self, name: str, work: Callable[[Fake], Coroutine[Any, Any, T]]) -> T:
        if name not in self.shared:
            self.shared[name] = asyncio.ensure_future(work(self))
        return await asyncio.shield(self.shared[name])  # type: ignore[no-any-return]

    def _say(
        self,
        asking: Asking,
        messages: tuple[Message, ...],
        text: str,
        purpose: Purpose,
        index: int,
        turn: int,
        wishes: Wishes,
    ) -> str | Reply:
        assert purpose.question == self.question.text
        call = Call(purpose.role, purpose.shown, text, index, turn, asking.model, messages, wishes)
        self.calls.append(call)
        return self.script(call)


@dataclass
class FakeTester:
    """Tests that are held against programs by the fake's runner."""

    fake: Fake
    tests: Sequence[str]

    async def check(self, program: str) -> tuple[Outcome, ...]:
        await asyncio.sleep(0)
        self.fake.ran.append(program)
        return tuple(self.fake.runner(f"{program}\n{test}") for test in self.tests)


class Fed:
    """A stream over candidates that are there; tells what was read and whether it was closed."""

    def __init__(
        self, given: Iterable[Candidate], most: int | None = None, parts: Sequence[int] = ()
    ) -> None:
        """`parts` says how many of them come of each step that is read; of one if left out."""
        self._given = list(given)
        self._most = len(self._given) if most is None else most
        self._parts = list(parts) or [len(self._given)]
        self.read = 0
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Candidate]:
        return self

    async def __anext__(self) -> Candidate:
        await asyncio.sleep(0)
        if self.closed or self.read == len(self._given):
            raise StopAsyncIteration
        self.read += 1
        return self._given[self.read - 1]

    @property
    def left(self) -> int:
        return self._most - self.read

    @property
    def part(self) -> int:
        ends = accumulate(self._parts)
        return next((part for part, end in enumerate(ends) if self.read <= end), 0)

    @property
    def parts(self) -> int:
        return len(self._parts)

    async def aclose(self) -> None:
        self.closed = True

    async def all(self) -> list[Candidate]:
        return [candidate async for candidate in self]


def candidate(
    text: str,
    index: int = 0,
    *,
    scores: dict[str, float] | None = None,
    notes: dict[str, Json] | None = None,
) -> Candidate:
    """A candidate whose answer is its text; none if that is empty."""
    answer = Answer(text, "exact") if text else None
    return Candidate(text, answer, Origin("drafts", index), scores or {}, notes or {})


def candidates(*texts: str, **scores: Sequence[float | None]) -> list[Candidate]:
    """Candidates with these texts; scores by name, None for a missing one."""
    made = []
    for index, text in enumerate(texts):
        own = {name: row[index] for name, row in scores.items()}
        kept = {name: score for name, score in own.items() if score is not None}
        made.append(candidate(text, index, scores=kept))
    return made


def flow(low: int, high: int | None = None, *scores: str, notes: Sequence[str] = ()) -> Flow:
    """An edge of so many candidates of 100 to 200 tokens, and a question of 10 to 20."""
    count = Amount(low, low if high is None else high)
    return Flow(count, frozenset(scores), frozenset(notes), Amount(100, 200), Amount(10, 20))


def decide(op: All, ctx: Fake, given: Sequence[Candidate] | Fed) -> list[Candidate]:
    """What an operator that reads everything yields."""
    stream = given if isinstance(given, Fed) else Fed(given)

    async def run() -> list[Candidate]:
        return [candidate async for candidate in op.run(ctx, stream)]

    return asyncio.run(run())


def judge(op: Each, ctx: Fake, given: Sequence[Candidate]) -> list[Candidate | None]:
    """What an operator on single candidates makes of each."""

    async def run() -> list[Candidate | None]:
        return list(await asyncio.gather(*(op.one(ctx, one) for one in given)))

    return asyncio.run(run())


def draw(op: Source, ctx: Fake, draws: range) -> list[Candidate]:
    """What a source draws."""

    async def run() -> list[Candidate]:
        asked = op.drawing(ctx, draws)
        replies = await ctx.sample(asked.asking, asked.messages, asked.purpose, draws, asked.wishes)
        return [op.drawn(ctx, reply) for reply in replies]

    return asyncio.run(run())
