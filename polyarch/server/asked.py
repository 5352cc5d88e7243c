"""What a body asks for, as a request to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import randbits
from typing import Any, TypeVar

from pydantic import ValidationError

from ..backends.base import Capability, Draw, ModelInfo, Request
from ..compiler.errors import BadRequest, NoSuchModel
from ..compiler.names import nearest
from ..compiler.values import Content, Image, Message, Purpose, Tool, ToolCall
from .bodies import Body, ChatBody, MessageBody, TextBody

__all__ = ["Asked", "Unreadable", "chat", "text"]

BodyT = TypeVar("BodyT", bound=Body)

_TEXT_TOKENS = 16
"""The bound on a text completion that names none, as the API has it."""


class Unreadable(BadRequest):
    """A body that cannot be read. `param` is the field at fault."""

    def __init__(self, message: str, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the shape in which its reply is wanted."""

    name: str
    """The model, as the client calls it."""
    request: Request
    chat: bool
    stream: bool
    usage: bool
    """Whether a stream ends with what was spent."""
    continuous: bool
    """Whether every chunk says what its draw has spent so far."""


def chat(raw: bytes, info_of: Callable[[str], ModelInfo | None]) -> Asked:
    """Read the body of a chat completion. Raises `Unreadable`, `NoSuchModel`."""
    body = _read(ChatBody, raw)
    info = _info(body, info_of)
    messages = [_message(turn, place) for place, turn in enumerate(body.messages)]
    prefix = ""
    if body.continue_final_message:
        if body.add_generation_prompt:
            raise Unreadable("continue_final_message and add_generation_prompt exclude each other")
        last = messages.pop()
        if last.role != "assistant" or not last.text or not messages:
            raise Unreadable("the last message is no assistant's text to continue", "messages")
        prefix = last.text
    logprobs = (body.top_logprobs or 0) if body.logprobs else None
    if body.top_logprobs and not body.logprobs:
        raise Unreadable("top_logprobs needs logprobs: true", "top_logprobs")
    return _asked(
        body,
        info,
        messages=tuple(messages),
        purpose=_purpose(body, _question(messages)),
        prefix=prefix,
        logprobs=logprobs,
        max_tokens=body.max_completion_tokens or body.max_tokens or info.max_tokens,
        tools=_tools(body),
    )


def text(raw: bytes, info_of: Callable[[str], ModelInfo | None]) -> Asked:
    """Read the body of a text completion. Raises `Unreadable`, `NoSuchModel`."""
    body = _read(TextBody, raw)
    info = _info(body, info_of)
    prompt = body.prompt if isinstance(body.prompt, str) else body.prompt[0]
    prefix = body.polyarch.prefix if body.polyarch is not None else ""
    if not prompt.endswith(prefix):
        raise Unreadable("the prompt does not end with polyarch.prefix", "polyarch")
    if body.best_of is not None and body.best_of != (body.n or 1):
        raise Unreadable("best_of is not offered", "best_of")
    prompt = prompt.removesuffix(prefix)
    return _asked(
        body,
        info,
        messages=(Message("user", prompt),),
        purpose=_purpose(body, prompt),
        prefix=prefix,
        logprobs=body.logprobs,
        max_tokens=body.max_tokens or _TEXT_TOKENS,
        tools=(),
    )


def _read(shape: type[BodyT], raw: bytes) -> BodyT:
    try:
        return shape.model_validate_json(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
    # What is missing may only be misspelt.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        hint = nearest(place, shape.model_fields)
        raise Unreadable(f"unknown field {place!r}; {hint}".rstrip("; "), place)
    raise Unreadable(f"{place}: {problem['msg']}".removeprefix(": "), place or None)


def _info(body: Body, info_of: Callable[[str], ModelInfo | None]) -> ModelInfo:
    info = info_of(body.model)
    if info is None:
        raise NoSuchModel(f"the model {body.model!r} does not exist; /v1/models lists those served")
    return info


def _asked(body: Body, info: ModelInfo, *, max_tokens: int, **fields: Any) -> Asked:
    options = body.stream_options
    if options is not None and not body.stream:
        raise Unreadable("stream_options need stream: true", "stream_options")
    request = Request(
        model=body.model,
        draws=_draws(body, info),
        max_tokens=max_tokens,
        temperature=_or(body.temperature, info.parameters.get("temperature", 1.0)),
        top_p=_or(body.top_p, info.parameters.get("top_p", 1.0)),
        top_k=max(0, body.top_k if body.top_k is not None else 0),
        stop=(body.stop,) if isinstance(body.stop, str) else body.stop or (),
        prompt_logprobs=body.prompt_logprobs,
        thinking=body.thinking_token_budget,
        **_guided(body, info),
        **fields,
    )
    return Asked(
        name=body.model,
        request=request,
        chat=isinstance(body, ChatBody),
        stream=bool(body.stream),
        usage=bool(options and options.include_usage),
        continuous=bool(options and options.continuous_usage_stats),
    )


def _or(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given


def _draws(body: Body, info: ModelInfo) -> tuple[Draw, ...]:
    """Draw k has the seed and k, as vLLM has it."""
    count = body.n or 1
    if count > info.max_draws:
        raise Unreadable(f"{body.model} draws {info.max_draws} at once, not {count}", "n")
    seed = randbits(62) if body.seed is None else body.seed
    return tuple(Draw(k, k, seed + k) for k in range(count))


def _purpose(body: Body, question: str) -> Purpose:
    told = body.polyarch
    return (
        Purpose("solve", question)
        if told is None
        else Purpose(told.role, told.question, told.shown)
    )


def _question(messages: list[Message]) -> str:
    """The last thing that the user said."""
    said = [message.text for message in messages if message.role == "user"]
    if not said:
        raise Unreadable("the chat holds no user message", "messages")
    return said[-1]


def _message(turn: MessageBody, place: int) -> Message:
    role = "system" if turn.role == "developer" else turn.role
    if turn.content is None and not turn.tool_calls:
        raise Unreadable(f"message {place} has no content", f"messages.{place}.content")
    if (role == "tool") != bool(turn.tool_call_id):
        raise Unreadable(f"message {place}: a tool's message, and no other, has a tool_call_id")
    calls = tuple(
        ToolCall(call.id, call.function.name, call.function.arguments)
        for call in turn.tool_calls or ()
    )
    return Message(role, _content(turn), calls, turn.tool_call_id or "")


def _content(turn: MessageBody) -> Content:
    if turn.content is None or isinstance(turn.content, str):
        return turn.content or ""
    parts = [
        part.text if part.type == "text" else Image(part.image_url.url) for part in turn.content
    ]
    if all(isinstance(part, str) for part in parts):
        return "".join(part for part in parts if isinstance(part, str))
    return tuple(parts)


def _tools(body: ChatBody) -> tuple[Tool, ...]:
    if body.tool_choice == "none":
        return ()
    return tuple(
        Tool(tool.function.name, tool.function.description or "", tool.function.parameters)
        for tool in body.tools or ()
    )


def _guided(body: Body, info: ModelInfo) -> Mapping[str, Any]:
    """What the reply must meet. A server has to promise a schema; only polyarch's operators, which
    send their purpose, check replies against it themselves."""
    found: dict[str, Any] = {}
    form, outputs = body.response_format, body.structured_outputs
    if form is not None and form.type == "json_object":
        found["schema"] = {"type": "object"}
    elif form is not None and form.type == "json_schema":
        if form.json_schema is None:
            raise Unreadable("json_schema is missing", "response_format.json_schema")
        found["schema"] = form.json_schema.schema_
    if outputs is not None:
        told = {
            "schema": outputs.schema_,
            "regex": outputs.regex,
            "choice": outputs.choice,
            "grammar": outputs.grammar,
        }
        found |= {name: value for name, value in told.items() if value is not None}
    if len(found) > 1:
        raise Unreadable("a reply can be bound to one form", "structured_outputs")
    unbound = Capability.GUIDED_JSON not in info.capabilities and body.polyarch is None
    if "schema" in found and unbound:
        where = "response_format" if form is not None else "structured_outputs"
        raise Unreadable(f"{body.model} does not offer {Capability.GUIDED_JSON.value}", where)
    return found
