"""Questions as people give them, a text, a chat or a record, into one shape."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypeAlias
from zlib import crc32

from ..compiler.errors import InputError
from ..compiler.names import nearest
from ..compiler.spec import QuestionSpec
from ..compiler.values import Content, Image, Json, Message, Question, ToolCall

__all__ = ["Asked", "as_question", "digest", "recorded", "restored"]

Asked: TypeAlias = "str | Question | Sequence[Message | Mapping[str, Json]] | Mapping[str, Json]"
"""What a pipeline may be asked: a text, a chat (messages) or a record."""

_ROLES = ("system", "user", "assistant", "tool")


def as_question(given: Asked, spec: QuestionSpec, id: str = "") -> Question:
    """The question in the shape that the pipeline declares; `id` tells it apart in a batch.

    A text is a chat of one user message. A chat's text is its last user message. A record's text is
    the pipeline's template with the fields filled in, or the fields one a line.
    Raises `InputError` naming what is missing or of the wrong kind.
    """
    if isinstance(given, Question):
        return given
    if not isinstance(given, str | Mapping | Sequence):
        raise InputError(f"a question is a text, a chat or a record, not {type(given).__name__}")
    if isinstance(given, str):
        question = _text(given, spec)
    elif isinstance(given, Mapping):
        question = _record(given, spec)
    else:
        question = _chat(given)
    named = id or blake2b(_content(question).encode(), digest_size=6).hexdigest()
    return Question(question.text, question.messages, question.fields, named)


def recorded(question: Question) -> Mapping[str, Json]:
    """A question as a trace holds it, but for its id; `restored` undoes it."""
    told: dict[str, Json] = {"text": question.text}
    if question.messages != (Message("user", question.text),):
        told["messages"] = [_as_turn(message) for message in question.messages]
    if question.fields:
        told["fields"] = dict(question.fields)
    return told


def restored(told: Mapping[str, Json], id: str) -> Question:
    """The question that a trace holds. Raises `InputError` if it holds none."""
    text, turns, fields = told.get("text"), told.get("messages"), told.get("fields", {})
    if not isinstance(text, str) or not isinstance(fields, Mapping):
        raise InputError("no question is recorded")
    if turns is None:
        return Question(text, (Message("user", text),), fields, id)
    if not isinstance(turns, Sequence) or isinstance(turns, str):
        raise InputError("no question is recorded")
    shaped = (turn if isinstance(turn, Mapping) else {} for turn in turns)
    messages = tuple(_message(turn, place) for place, turn in enumerate(shaped))
    return Question(text, messages, fields, id)


def digest(messages: Sequence[Message]) -> int:
    """A checksum of a prompt's texts, by which a trace tells whether a prompt is still the same."""
    crc = 0
    for message in messages:
        crc = crc32(message.text.encode("utf-8", "surrogatepass"), crc)
        for call in message.calls:
            told = f"{call.name}\x1f{call.arguments}"
            crc = crc32(told.encode("utf-8", "surrogatepass"), crc)
    return crc


def _as_turn(message: Message) -> Mapping[str, Json]:
    turn: dict[str, Json] = {"role": message.role, "content": _as_parts(message.content)}
    if message.calls:
        turn["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.calls
        ]
    if message.call:
        turn["tool_call_id"] = message.call
    return turn


def _as_parts(content: Content) -> Json:
    if isinstance(content, str):
        return content
    return [
        part if isinstance(part, str) else {"type": "image_url", "image_url": {"url": part.url}}
        for part in content
    ]


def _content(question: Question) -> str:
    return "\x1e".join(
        f"{m.role}\x1f{m.content!r}" + (f"\x1f{m.calls!r}{m.call}" if m.calls or m.call else "")
        for m in question.messages
    )


def _text(given: str, spec: QuestionSpec) -> Question:
    if not given.strip():
        raise InputError("the question is empty")
    if spec.kind == "record":
        raise InputError(f"this pipeline asks for a record with {_listed(spec.fields)}, not a text")
    return Question(given, (Message("user", given),))


def _chat(given: Sequence[Message | Mapping[str, Json]]) -> Question:
    messages = tuple(_message(turn, place) for place, turn in enumerate(given))
    asked = [m for m in messages if m.role == "user"]
    if not asked:
        raise InputError("the chat holds no user message")
    return Question(asked[-1].text, messages)


def _message(turn: Message | Mapping[str, Json], place: int) -> Message:
    if isinstance(turn, Message):
        return turn
    if not isinstance(turn, Mapping):
        raise InputError(f"message {place} is no object with role and content")
    role, content = turn.get("role"), turn.get("content")
    if role not in _ROLES:
        raise InputError(f"message {place}: the role is {role!r}, not one of {', '.join(_ROLES)}")
    calls = _calls(turn.get("tool_calls"), place)
    call = turn.get("tool_call_id")
    # A turn that only calls tools has no content.
    said = "" if content is None and calls else _parts(content, place)
    return Message(str(role), said, calls, call if isinstance(call, str) else "")


def _calls(told: Json, place: int) -> tuple[ToolCall, ...]:
    if told is None:
        return ()
    if not isinstance(told, Sequence):
        raise InputError(f"message {place}: tool_calls is no list")
    return tuple(_call(call, place) for call in told)


def _call(call: Json, place: int) -> ToolCall:
    match call:
        case {"id": str(id), "function": {"name": str(name), "arguments": str(arguments)}}:
            return ToolCall(id, name, arguments)
    raise InputError(f"message {place}: a tool call has an id and a function, of text")


def _parts(content: Json, place: int) -> Content:
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        raise InputError(f"message {place}: the content is neither text nor a list of parts")
    return tuple(_part(part, place) for part in content)


def _part(part: Json, place: int) -> str | Image:
    match part:
        case str():
            return part
        case {"type": "text", "text": str(text)}:
            return text
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return Image(url)
        case _:
            raise InputError(f"message {place}: a part is a text or an image_url")


def _record(given: Mapping[str, Json], spec: QuestionSpec) -> Question:
    if spec.kind != "record":
        if isinstance(given.get("messages"), list):
            return _chat(given["messages"])  # type: ignore[arg-type]
        if isinstance(given.get("question"), str):
            return _text(str(given["question"]), spec)
        raise InputError(
            "a record without `question` or `messages`, and the pipeline asks for none"
        )
    missing = [name for name in spec.fields if name not in given]
    if missing:
        hint = nearest(missing[0], given)
        raise InputError(f"the record has no field {_listed(missing)}; {hint}".rstrip("; "))
    shown = {name: _shown(given[name]) for name in spec.fields or given}
    if spec.text is None:
        text = "\n".join(f"{name}: {value}" for name, value in shown.items())
    else:
        text = spec.text
        for name, value in shown.items():
            text = text.replace(f"{{{name}}}", value)
    return Question(text, (Message("user", text),), shown)


def _shown(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
