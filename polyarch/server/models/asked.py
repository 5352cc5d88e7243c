"""What a body asks for, as a request to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import randbits
from typing import Any

from ...backends.base import Draw, ModelInfo, Request
from ...compiler.errors import NoSuchModel
from ...compiler.values import Message, Purpose, Tool
from ..messages import last_said, messages
from ..read import Unreadable, read
from ..shape import Shape, shape
from .bodies import ChatBody, ModelBody, TextBody

__all__ = ["Asked", "chat", "text"]

_TEXT_TOKENS = 16
"""The bound on a text completion that names none, as the API has it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the shape in which its reply is wanted."""

    request: Request
    shape: Shape


def chat(raw: bytes, info_of: Callable[[str], ModelInfo | None]) -> Asked:
    """Read the body of a chat completion. Raises `Unreadable`, `NoSuchModel`."""
    body = read(ChatBody, raw)
    info = _info(body, info_of)
    turns = messages(body.messages)
    prefix = ""
    if body.continue_final_message:
        if body.add_generation_prompt:
            raise Unreadable("continue_final_message and add_generation_prompt exclude each other")
        last = turns.pop()
        if last.role != "assistant" or not last.text or not turns:
            raise Unreadable("the last message is no assistant's text to continue", "messages")
        prefix = last.text
    logprobs = (body.top_logprobs or 0) if body.logprobs else None
    if body.top_logprobs and not body.logprobs:
        raise Unreadable("top_logprobs needs logprobs: true", "top_logprobs")
    return _asked(
        body,
        info,
        messages=tuple(turns),
        purpose=_purpose(body, last_said(turns)),
        prefix=prefix,
        logprobs=logprobs,
        max_tokens=body.max_completion_tokens or body.max_tokens or info.max_tokens,
        tools=_tools(body),
    )


def text(raw: bytes, info_of: Callable[[str], ModelInfo | None]) -> Asked:
    """Read the body of a text completion. Raises `Unreadable`, `NoSuchModel`."""
    body = read(TextBody, raw)
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


def _info(body: ModelBody, info_of: Callable[[str], ModelInfo | None]) -> ModelInfo:
    info = info_of(body.model)
    if info is None:
        raise NoSuchModel(f"the model {body.model!r} does not exist; /v1/models lists those served")
    return info


def _asked(body: ModelBody, info: ModelInfo, *, max_tokens: int, **fields: Any) -> Asked:
    request = Request(
        model=body.model,
        draws=_draws(body, info),
        # Over the wire the bound holds for reasoning and answer together.
        max_tokens=max(1, max_tokens - (body.thinking_token_budget or 0)),
        temperature=_or(body.temperature, info.parameters.get("temperature", 1.0)),
        top_p=_or(body.top_p, info.parameters.get("top_p", 1.0)),
        top_k=max(0, body.top_k if body.top_k is not None else 0),
        stop=(body.stop,) if isinstance(body.stop, str) else body.stop or (),
        prompt_logprobs=body.prompt_logprobs,
        thinking=body.thinking_token_budget,
        **_guided(body),
        **fields,
    )
    return Asked(request, shape(body, chat=isinstance(body, ChatBody)))


def _or(given: float | None, otherwise: float) -> float:
    return otherwise if given is None else given


def _draws(body: ModelBody, info: ModelInfo) -> tuple[Draw, ...]:
    """Draw k has the seed and k, as vLLM has it."""
    count = body.n or 1
    if count > info.max_draws:
        raise Unreadable(f"{body.model} draws {info.max_draws} at once, not {count}", "n")
    seed = randbits(62) if body.seed is None else body.seed
    return tuple(Draw(k, k, seed + k) for k in range(count))


def _purpose(body: ModelBody, question: str) -> Purpose:
    told = body.polyarch
    return (
        Purpose("solve", question)
        if told is None
        else Purpose(told.role, told.question, told.shown)
    )


def _tools(body: ChatBody) -> tuple[Tool, ...]:
    if body.tool_choice == "none":
        return ()
    return tuple(
        Tool(tool.function.name, tool.function.description or "", tool.function.parameters)
        for tool in body.tools or ()
    )


def _guided(body: ModelBody) -> Mapping[str, Any]:
    """What the reply must meet; the model refuses what it does not offer."""
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
    return found
