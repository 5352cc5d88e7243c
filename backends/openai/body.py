"""A request as the body of an HTTP one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...compiler.values import Json, Message
from ..base import Request
from .faults import Faults
from .options import Options

__all__ = ["body"]


def body(model: str, options: Options, request: Request, faults: Faults) -> dict[str, Any]:
    """The fields that ask for these draws. Raises `BadRequest` for what the options do not offer.

    Whatever the server's own defaults are (vLLM takes a model's from its repository), temperature
    and top_p are sent, but for the documented defaults to OpenAI, whose reasoning models refuse
    even those.
    """
    fields: dict[str, Any] = {"model": model, **_prompt(options, request, faults)}
    limit = options.limit or ("max_completion_tokens" if options.openai else "max_tokens")
    fields[limit] = request.max_tokens
    if request.temperature != 1.0 or not options.openai:
        fields["temperature"] = request.temperature
    if request.top_p != 1.0 or not options.openai:
        fields["top_p"] = request.top_p
    if request.top_k:
        fields["top_k"] = request.top_k
    if len(request.draws) > 1:
        fields["n"] = len(request.draws)
    if request.stop:
        fields["stop"] = request.stop
    if options.seed:
        fields["seed"] = request.draws[0].seed
    if request.logprobs is not None:
        fields.update(_logprobs(options, request.logprobs, faults))
    if request.schema is not None:
        fields.update(_guided(options, request.schema))
    if options.stream:
        fields["stream"] = True
        fields["stream_options"] = _STREAMED[options.continuous_usage]
    fields.update(options.extra)
    return fields


_STREAMED = (
    {"include_usage": True},
    {"include_usage": True, "continuous_usage_stats": True},
)


def _prompt(options: Options, request: Request, faults: Faults) -> dict[str, Any]:
    if options.api == "completions":
        if any(not isinstance(message.content, str) for message in request.messages):
            raise faults.refused("images need option api: chat")
        return {"prompt": "\n\n".join(m.text for m in request.messages) + request.prefix}
    messages = [{"role": m.role, "content": _content(m)} for m in request.messages]
    if not request.prefix:
        return {"messages": messages}
    if not options.continuation:
        raise faults.refused("continuing a reply needs option continuation: true")
    messages.append({"role": "assistant", "content": request.prefix})
    return {
        "messages": messages,
        "add_generation_prompt": False,
        "continue_final_message": True,
    }


def _content(message: Message) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    return [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in message.content
    ]


def _logprobs(options: Options, alternatives: int, faults: Faults) -> dict[str, Any]:
    if not options.logprobs:
        raise faults.refused("probabilities of tokens need option logprobs: true")
    if options.api == "completions":
        return {"logprobs": alternatives}
    return {"logprobs": True, "top_logprobs": alternatives}


def _guided(options: Options, schema: Mapping[str, Json]) -> dict[str, Any]:
    match options.guided:
        case "vllm":
            return {"structured_outputs": {"json": schema}}
        case "response_format":
            # Strict would be a promise of OpenAI's that most schemas do not qualify for. Whoever
            # asks reads the reply with care in any case.
            form = {"name": "reply", "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": form}}
    return {}
