"""What an operator sees of the world: every request is metered, reserved, limited and traced."""

from __future__ import annotations

from asyncio import TaskGroup
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import lru_cache, partial
from random import Random
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..backends.base import Draw, Request
from ..compiler.answers import AnswerKind, answer_kind
from ..compiler.execution import Limits, Outcome, Script, Tester
from ..compiler.op import PLAIN, Asked, Asking, Reply, Wishes
from ..compiler.template import Template
from ..compiler.toolcalls import Called
from ..compiler.values import Candidate, Json, Message, Origin, Purpose, Question, Tool, Usage
from .fitting import fitted
from .recall import through
from .running import Running
from .seeds import derive, numbered
from .sending import Sending
from .state import StepState, Writing
from .tools.calling import Site, called, offered
from .wiring import number
from .writing import Written, written

__all__ = ["StepContext", "first_error"]

T = TypeVar("T")
FormT = TypeVar("FormT", bound=BaseModel)

_JSON = answer_kind("json")


class StepContext:
    """The context of one step in one run; of one place of it, for a step on single candidates.

    Implements `compiler.op.Context`.
    """

    __slots__ = ("_place", "_state")

    def __init__(self, state: StepState, place: int | None = None) -> None:
        self._state = state
        self._place = place

    @property
    def question(self) -> Question:
        """What the pipeline was asked."""
        return self._state.question

    @property
    def answer(self) -> AnswerKind:
        """How an answer is read out of a text."""
        return self._state.wiring.node.answer

    @property
    def step(self) -> str:
        """The name of the step that runs."""
        return self._state.name

    def fill(self, asking: Asking, **values: str) -> str:
        """The prompt of `asking`, its variables filled in."""
        question = self._state.question
        variables = asking.variables
        if question.fields:
            variables = variables.union(question.fields)
        template = _template(asking.wording, variables)
        return template.fill({**question.fields, **values, "question": question.text})

    async def sample(
        self,
        asking: Asking,
        messages: tuple[Message, ...],
        purpose: Purpose,
        draws: range,
        wishes: Wishes = PLAIN,
    ) -> list[Reply]:
        """Draw completions of one prompt in one request; in index order."""
        replies: list[Reply] = []
        await self.send(asking, messages, purpose, draws, replies.append, wishes)
        replies.sort(key=_index)
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
        """Ask for a filled-in form, with one repair turn."""
        messages = (*self._state.question.system, Message("user", text))
        wishes = _filled_in(form)
        spent = Usage()
        for turn in (0, 1):
            draws = range(index, index + 1)
            reply = await self.send(asking, messages, purpose, draws, None, wishes, turn)
            text = reply.text
            spent += reply.usage
            value, wrong = _read(text, form, check)
            if value is not None:
                return Asked(value, spent)
            complaint = f"Your reply could not be read: {wrong}. Reply again, with the JSON alone."
            messages += (Message("assistant", text), Message("user", complaint))
        self.count_unreadable(reply, wrong)
        return Asked(None, spent)

    def stream(
        self,
        asking: Asking,
        messages: tuple[Message, ...],
        purpose: Purpose,
        index: int,
        wishes: Wishes = PLAIN,
    ) -> AbstractAsyncContextManager[Written]:
        """Draw one completion and read it while it is written."""
        draws = range(index, index + 1)
        return written(
            lambda tell: self.send(asking, messages, purpose, draws, None, wishes, tell=tell)
        )

    async def tools(self, names: Sequence[str]) -> tuple[Tool, ...]:
        """What a model is told of tools of the pipeline."""
        return await offered(self._state, -1 if self._place is None else self._place, tuple(names))

    async def call(self, tool: str, arguments: Mapping[str, Json], *, index: int) -> Called:
        """Call a tool; what becomes of it."""
        return await called(Site(self._state, self._place, index), tool, arguments)

    async def execute(self, script: Script, limits: Limits, *, confined: bool = True) -> Outcome:
        """Run a program in the sandbox."""
        return await self._running(confined).execute(script, limits)

    def tester(
        self, tests: Sequence[str], limits: Limits, *, confined: bool = True
    ) -> AbstractAsyncContextManager[Tester]:
        """Make tests ready to be held against programs in the sandbox."""
        return self._running(confined).tester(tests, limits)

    def _running(self, confined: bool) -> Running:
        return Running(self._state, -1 if self._place is None else self._place, confined)

    def candidate(
        self, reply: Reply, *, index: int, parents: Sequence[Candidate] = ()
    ) -> Candidate:
        """A new candidate from a reply."""
        return Candidate(
            reply.text,
            self._state.wiring.node.answer.read(reply.text),
            Origin(
                self._state.name,
                index if self._place is None else self._place,
                reply.model,
                tuple(parent.origin.key for parent in parents),
            ),
            usage=reply.usage,
            finish=reply.finish,
        )

    def count_unreadable(self, reply: Reply, why: str) -> None:
        """Count a reply in the trace as one that could not be read."""
        self._emit("unreadable", {"ask": reply.index, "why": why, "text": reply.text})

    def rng(self, *names: str | int) -> Random:
        """A random generator that depends on run seed, question, step and names alone."""
        place = -1 if self._place is None else self._place
        return Random(derive(self._state.seed, "rng", place, *names))

    def note(self, what: str, **data: Json) -> None:
        """Write something worth knowing into the trace."""
        self._emit("noted", {"note": what, **data})
        if data.get("stopped"):
            self._state.run.stopped[self.step] = f"{self.step} decided after {data.get('read')}"

    async def together(self, jobs: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        """Run jobs at the same time; results in the order given."""
        if len(jobs) == 1:
            return [await jobs[0]]
        try:
            async with TaskGroup() as group:
                tasks = [group.create_task(job) for job in jobs]
        except BaseExceptionGroup as failed:
            failure = first_error(failed)
        else:
            return [task.result() for task in tasks]
        raise failure

    async def once(self, name: str, work: Callable[[StepContext], Coroutine[Any, Any, T]]) -> T:
        """What work of this name gives that is done once for the question, by the whole step."""
        return await self._state.once.get(name, lambda: work(StepContext(self._state)))

    def _emit(self, what: str, data: Mapping[str, Json]) -> None:
        self._state.emit(what, -1 if self._place is None else self._place, data)

    def send(
        self,
        asking: Asking,
        messages: tuple[Message, ...],
        purpose: Purpose,
        draws: range,
        deliver: Callable[[Reply], None] | None = None,
        wishes: Wishes = PLAIN,
        turn: int = 0,
        tell: Callable[[str], None] | None = None,
    ) -> Coroutine[Any, Any, Reply]:
        """One request, seen through when awaited: the reply of its first draw. The reply of every
        draw is delivered as it finishes; of one draw, each part of its text is told as it comes."""
        request = self._request(asking, messages, purpose, draws, wishes, turn)
        state, place = self._state, self._place
        if state.run.writing is not None and tell is None and len(draws) == 1:
            tell = self._shown(state.run.writing, draws.start)
        if optional := state.wiring.optional:
            offered = state.run.models[request.model].info.capabilities
            request = fitted(request, offered, optional)
        if state.run.stores:
            return through(state, place, request, deliver, state.run.stores, tell)
        return Sending(state, place, request, deliver, tell).reply()

    def _shown(self, writing: Writing, draw: int) -> Callable[[str], None] | None:
        """Who is told of the text while it is written, if anybody is."""
        if writing.step != self.step:
            return None
        return partial(writing.tell, draw if self._place is None else self._place)

    def _request(
        self,
        asking: Asking,
        messages: tuple[Message, ...],
        purpose: Purpose,
        draws: range,
        wishes: Wishes,
        turn: int,
    ) -> Request:
        step, place = self._state, self._place or 0
        seed, numbers, base = step.seed, step.wiring.numbers, step.wiring.base
        assert asking.max_tokens is not None
        allotted = self._state.question.tokens
        most = asking.max_tokens if allotted is None else min(asking.max_tokens, allotted)
        return Request(
            asking.model or "",
            messages,
            purpose,
            tuple(
                [
                    Draw(
                        d,
                        numbers[d] if numbers else number(base, self._place, d),
                        numbered(seed, place, d, turn),
                    )
                    for d in draws
                ]
            ),
            most,
            1.0 if asking.temperature is None else asking.temperature,
            asking.top_p or 1.0,
            asking.top_k or 0,
            asking.stop,
            wishes.prefix,
            wishes.schema,
            wishes.regex,
            wishes.grammar,
            wishes.choice,
            wishes.logprobs,
            wishes.prompt_logprobs,
            wishes.tools,
            asking.thinking if wishes.wants == "text" else None,
            wishes.wants,
            step.name,
            self._state.run.question.id,
            turn,
        )


def first_error(error: BaseException) -> BaseException:
    """The first error in a group of groups; the others followed from it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _index(reply: Reply) -> int:
    return reply.index


@lru_cache(maxsize=4096)
def _template(text: str, variables: frozenset[str]) -> Template:
    return Template(text, variables)


@lru_cache(maxsize=256)
def _filled_in(form: type[BaseModel]) -> Wishes:
    return Wishes(schema=form.model_json_schema())


def _read(
    text: str, form: type[FormT], check: Callable[[FormT], str] | None
) -> tuple[FormT | None, str]:
    """The form in a reply, or what is wrong with it."""
    found = _JSON.read(text)
    if found is None:
        return None, "it holds no JSON"
    try:
        value = form.model_validate_json(found.text)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        return None, f"{where}: {problem['msg']}" if where else problem["msg"]
    wrong = check(value) if check is not None else ""
    return (None, wrong) if wrong else (value, "")
