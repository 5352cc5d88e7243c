"""What a body asks of a pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import randbits

from ...compiler.errors import InputError
from ...compiler.graph import Graph
from ...compiler.spec import Budget
from ...compiler.values import Json, Message, Question
from ...runtime.questions import as_question
from ..messages import last_said, messages
from ..read import Unreadable, read
from ..shape import Shape, shape
from .bodies import ChatBody, PipelineBody, TextBody, ignored

__all__ = ["Asked", "asked", "chat", "text"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to a pipeline, and how its answer is wanted."""

    shape: Shape
    question: Question
    seed: int
    budget: Budget | None
    stop: tuple[str, ...]
    """Where a text ends, if it holds one of these."""
    progress: bool
    parts: bool
    ignored: tuple[str, ...]
    """Parameters that were given and decide nothing."""


def chat(raw: bytes) -> ChatBody:
    """Read the body of a chat completion. Raises `Unreadable`."""
    return read(ChatBody, raw)


def text(raw: bytes) -> TextBody:
    """Read the body of a text completion. Raises `Unreadable`."""
    return read(TextBody, raw)


def asked(body: ChatBody | TextBody, graph: Graph) -> Asked:
    """What a body asks of this pipeline. Raises `Unreadable`."""
    wanted = shape(body, chat=isinstance(body, ChatBody))
    if wanted.choices > graph.keep:
        raise Unreadable(
            f"{graph.name} keeps {graph.keep} of its candidates, so n is at most that, not "
            f"{wanted.choices}; for independent answers ask several times",
            "n",
        )
    if wanted.continuous:
        raise Unreadable("what a pipeline spent is told at its end", "stream_options")
    if body.response_format is not None and body.response_format.type != "text":
        raise Unreadable(
            "the form of a pipeline's answer is the pipeline's to say", "response_format"
        )
    told = body.polyarch
    return Asked(
        shape=wanted,
        question=_question(body, graph),
        seed=randbits(62) if body.seed is None else body.seed,
        budget=None if told is None or told.budget is None else Budget(**dict(told.budget)),
        stop=(body.stop,) if isinstance(body.stop, str) else body.stop or (),
        progress=told is not None and told.progress,
        parts=told is not None and told.parts,
        ignored=ignored(body),
    )


def _question(body: ChatBody | TextBody, graph: Graph) -> Question:
    turns = _turns(body)
    said = last_said(turns)
    spec, param = graph.question, "messages" if isinstance(body, ChatBody) else "prompt"
    record = body.polyarch.record if body.polyarch is not None else None
    try:
        if spec.kind == "record":
            given = _record(said) if record is None else record
            made = as_question(given, spec)
            system = tuple(turn for turn in turns if turn.role == "system")
            return Question(made.text, (*system, *made.messages), made.fields, made.id)
        if record is not None:
            raise Unreadable(f"{graph.name} asks for no record", "polyarch.record")
        if not said.strip():
            raise Unreadable("the question is empty", param)
        return as_question(turns, spec)
    except InputError as error:
        raise Unreadable(str(error), param if record is None else "polyarch.record") from error


def _turns(body: PipelineBody) -> list[Message]:
    if isinstance(body, ChatBody):
        return messages(body.messages)
    assert isinstance(body, TextBody)
    return [Message("user", body.prompt if isinstance(body.prompt, str) else body.prompt[0])]


def _record(said: str) -> Mapping[str, Json]:
    """A record that stands in a message as JSON. Raises `InputError`."""
    try:
        found = json.loads(said)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(
            "this pipeline asks for a record: as polyarch.record, or as JSON in the last message"
        )
    return found
