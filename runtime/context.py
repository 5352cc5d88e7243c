"""What an operator sees of the world: every request is metered, reserved, limited and traced."""

from __future__ import annotations

from asyncio import TaskGroup
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..backends.base import Draw, Request
from ..compiler.answers import AnswerKind, answer_kind
from ..compiler.model import Price
from ..compiler.op import Asked, Asking, Reply
from ..compiler.template import Template
from ..compiler.values import Candidate, Json, Message, Origin, Purpose, Question, Usage
from .ledger import Reservation
from .seeds import derive

if TYPE_CHECKING:
    from .executor import Running, Step

__all__ = ["StepContext"]

T = TypeVar("T")
FormT = TypeVar("FormT", bound=BaseModel)

_JSON = answer_kind("json")


class StepContext:
    """The context of one step in one run; of one place of it, for a step on single candidates.

    Implements `compiler.op.Context`.
    """

    __slots__ = ("_place", "_run", "_step")

    def __init__(self, run: Running, step: Step, place: int | None = None) -> None:
        self._run = run
        self._step = step
        self._place = place

    @property
    def question(self) -> Question:
        """What the pipeline was asked."""
        return self._run.question

    @property
    def answer(self) -> AnswerKind:
        """How an answer is read out of a text."""
        return self._step.node.answer

    @property
    def step(self) -> str:
        """The name of the step that runs."""
        return self._step.name

    def fill(self, asking: Asking, **values: str) -> str:
        """The prompt of `asking`, its variables filled in."""
        question = self._run.question
        variables = asking.variables
        if question.fields:
            variables = variables.union(question.fields)
        template = _template(asking.prompt or asking.default_prompt, variables)
        return template.fill({**question.fields, **values, "question": question.text})

    async def sample(
        self,
        asking: Asking,
        messages: tuple[Message, ...],
        purpose: Purpose,
        draws: range,
    ) -> AsyncIterator[Reply]:
        """Draw completions of one prompt in one request, in the order they finish."""
        async for reply in self._send(asking, messages, purpose, draws, -1):
            yield reply

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
        messages = (*self._run.question.system, Message("user", text))
        schema = _schema(form)
        spent = Usage()
        for turn in (0, 1):
            draws = range(index, index + 1)
            text = ""
            async for reply in self._send(asking, messages, purpose, draws, index, schema, turn):
                spent += reply.usage
                text = reply.text
            value, wrong = _read(text, form, check)
            if value is not None:
                return Asked(value, spent)
            complaint = f"Your reply could not be read: {wrong}. Reply again, with the JSON alone."
            messages += (Message("assistant", text), Message("user", complaint))
        self._emit("unreadable", {"ask": index, "why": wrong, "text": text})
        return Asked(None, spent)

    def candidate(
        self, reply: Reply, *, index: int, parents: Sequence[Candidate] = ()
    ) -> Candidate:
        """A new candidate from a reply."""
        return Candidate(
            reply.text,
            self._step.node.answer.read(reply.text),
            Origin(
                self._step.name,
                index if self._place is None else self._place,
                reply.model,
                tuple(parent.origin.key for parent in parents),
            ),
            usage=reply.usage,
            finish=reply.finish,
        )

    def rng(self, *names: str | int) -> Random:
        """A random generator that depends on run seed, question, step and names alone."""
        place = -1 if self._place is None else self._place
        return Random(derive(self._step.seed, "rng", place, *names))

    def note(self, what: str, **data: Json) -> None:
        """Write something worth knowing into the trace."""
        self._emit("noted", {"note": what, **data})
        if data.get("stopped"):
            self._run.stopped.append(f"{self._step.name} decided after {data.get('read')}")

    async def together(self, jobs: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        """Run jobs at the same time; results in the order given."""
        if len(jobs) == 1:
            return [await jobs[0]]
        async with TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
        return [task.result() for task in tasks]

    def _emit(self, what: str, data: Mapping[str, Json]) -> None:
        self._run.emit(what, self._step.name, -1 if self._place is None else self._place, data)

    async def _send(
        self,
        asking: Asking,
        messages: tuple[Message, ...],
        purpose: Purpose,
        draws: range,
        ask: int,
        schema: Mapping[str, Json] | None = None,
        turn: int = 0,
    ) -> AsyncIterator[Reply]:
        """One request, from reserving to settling; a reply for every draw as it finishes."""
        run, step = self._run, self._step
        model = run.models[asking.model or ""]
        place, numbers = self._place, step.numbers
        seed = step.seed if place is None else derive(step.seed, place)
        assert asking.max_tokens is not None
        request = Request(
            asking.model or "",
            messages,
            purpose,
            tuple([Draw(d, numbers[d] if numbers else d, derive(seed, d, turn)) for d in draws]),
            asking.max_tokens,
            1.0 if asking.temperature is None else asking.temperature,
            asking.top_p or 1.0,
            asking.top_k or 0,
            asking.stop,
            schema=schema,
            step=step.name,
            question=run.question.id,
            turn=turn,
        )
        reserved: Reservation | None = None
        if step.ledger.limited:
            prompt = model.backend.prompt_tokens(request)
            bound = len(draws) * asking.max_tokens
            reserved = Reservation(len(draws), prompt + bound, model.price.usd(prompt, bound))
            await step.ledger.reserve(reserved)
        open_draws = {d: _Draw() for d in draws}
        first = draws[0] if place is None else place
        data: dict[str, Json] = {"model": model.name, "draws": len(draws), "ask": ask}
        if turn:
            data["turn"] = turn
        prompt_tokens = cached_tokens = 0
        sent = 0.0
        usage = Usage()
        try:
            async with model.limit:
                sent = run.now()
                run.emit("asked", step.name, first, data)
                pieces = model.backend.generate(request)
                try:
                    async for piece in pieces:
                        draw = open_draws[piece.draw]
                        prompt_tokens += piece.prompt_tokens
                        cached_tokens += piece.cached_tokens
                        draw.tokens += piece.completion_tokens
                        if piece.text:
                            draw.text += piece.text
                        if not piece.finish:
                            continue
                        del open_draws[piece.draw]
                        spent = _spent(
                            model.price, prompt_tokens, cached_tokens, draw.tokens, run.now() - sent
                        )
                        prompt_tokens = cached_tokens = 0
                        usage += spent
                        index = piece.draw if place is None else place
                        run.charge(step.name, index, spent)
                        told = _told(ask, draw, piece.finish)
                        run.emit("drew", step.name, index, told)
                        yield Reply(piece.draw, draw.text, model.name, piece.finish, spent)
                finally:
                    await pieces.aclose()
        finally:
            if sent:
                usage += self._unfinished(model.price, open_draws, prompt_tokens, cached_tokens)
            step.ledger.settle(reserved, usage)

    def _unfinished(
        self, price: Price, draws: Mapping[int, _Draw], prompt: int, cached: int
    ) -> Usage:
        """Charge the draws that a request was closed upon."""
        total = Usage()
        for index, draw in draws.items():
            spent = _spent(price, prompt, cached, draw.tokens, 0.0)
            prompt = cached = 0
            self._run.charge(self._step.name, index if self._place is None else self._place, spent)
            total += spent
        return total


class _Draw:
    """What arrived of a draw so far."""

    __slots__ = ("text", "tokens")

    def __init__(self) -> None:
        self.text = ""
        self.tokens = 0


def _told(ask: int, draw: _Draw, finish: str) -> Mapping[str, Json]:
    return {"ask": ask, "tokens": draw.tokens, "finish": finish}


def _spent(price: Price, prompt: int, cached: int, completion: int, seconds: float) -> Usage:
    return Usage(1, prompt, cached, completion, price.usd(prompt, completion, cached), seconds)


@lru_cache(maxsize=4096)
def _template(text: str, variables: frozenset[str]) -> Template:
    return Template(text, variables)


@lru_cache(maxsize=256)
def _schema(form: type[BaseModel]) -> Mapping[str, Json]:
    schema: Mapping[str, Json] = form.model_json_schema()
    return schema


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
