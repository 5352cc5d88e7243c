"""A request as the body of an HTTP one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...compiler.model import Capability
from ...compiler.values import Message, Tool
from ..base import Request, needs
from .faults import Faults
from .options import Options

__all__ = ["body", "whole"]

_HINTS: Mapping[Capability, str] = {
    Capability.CONTINUATION: "continuing a reply needs option continuation: true",
    Capability.EMBEDDINGS: "embeddings need option api: embeddings",
    Capability.GUIDED_CHOICE: "a choice of replies needs option guided: vllm",
    Capability.GUIDED_GRAMMAR: "a grammar for the reply needs option guided: vllm",
    Capability.GUIDED_JSON: "a schema for the reply needs option guided",
    Capability.GUIDED_REGEX: "a regular expression for the reply needs option guided: vllm",
    Capability.IMAGES: "images need option api: chat, and images: true",
    Capability.LOGPROBS: "probabilities of tokens need option logprobs: true",
    Capability.PROMPT_LOGPROBS: "probabilities of the prompt need option prompt_logprobs: true",
    Capability.REWARD: "rewards need option api: reward",
    Capability.STOP: "stop strings need option api: chat, or completions",
    Capability.THINKING: "a bound on reasoning needs option thinking: the name of its field",
    Capability.TOOLS: "tools need option api: chat, and tools: true",
}
"""What to set for what is not offered."""


def whole(options: Options, request: Request) -> bool:
    """Whether the reply is asked for in one piece. vLLM tells nothing of a prompt in a stream."""
    return not options.stream or request.wants != "text" or request.prompt_logprobs is not None


def body(model: str, options: Options, request: Request, faults: Faults) -> dict[str, Any]:
    """The fields that ask for these draws. Raises `BadRequest` for what the options do not offer.

    Whatever the server's own defaults are (vLLM takes a model's from its repository), temperature
    and top_p are sent, but for the documented defaults to OpenAI, whose reasoning models refuse
    even those.
    """
    _refuse(options, request, faults)
    fields: dict[str, Any] = {"model": model}
    if request.wants == "text":
        fields |= _prompt(options, request)
        _sampling(fields, options, request)
        _extensions(fields, options, request)
        if not whole(options, request):
            fields["stream"] = True
            fields["stream_options"] = _STREAMED[options.continuous_usage]
    elif request.wants == "embedding":
        text = "\n\n".join(message.text for message in request.messages)
        fields |= {"input": text, "encoding_format": "float"}
    else:
        fields["messages"] = [_message(m) for m in request.messages]
    fields.update(options.extra)
    return fields


_STREAMED = (
    {"include_usage": True},
    {"include_usage": True, "continuous_usage_stats": True},
)


def _refuse(options: Options, request: Request, faults: Faults) -> None:
    for need in needs(request):
        if need not in options.offers:
            raise faults.refused(_HINTS[need])
    if request.wants == "text" and options.api in ("embeddings", "reward"):
        raise faults.refused(f"texts need option api: chat, or completions, not {options.api}")


def _sampling(fields: dict[str, Any], options: Options, request: Request) -> None:
    """How the draws are made."""
    limit = options.limit or ("max_completion_tokens" if options.openai else "max_tokens")
    fields[limit] = request.most
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


def _extensions(fields: dict[str, Any], options: Options, request: Request) -> None:
    """What is wanted besides a text, and of the text."""
    if request.logprobs is not None:
        if options.api == "completions":
            fields["logprobs"] = request.logprobs
        else:
            fields |= {"logprobs": True, "top_logprobs": request.logprobs}
    if request.prompt_logprobs is not None:
        fields["prompt_logprobs"] = request.prompt_logprobs
    fields |= _guided(options, request)
    if request.tools:
        fields["tools"] = [_tool(tool) for tool in request.tools]
    if request.thinking is not None and options.thinking is not None:
        _put(fields, options.thinking, request.thinking)
    if options.purpose:
        fields["polyarch"] = _purpose(options, request)


def _prompt(options: Options, request: Request) -> dict[str, Any]:
    if options.api == "completions":
        return {"prompt": "\n\n".join(m.text for m in request.messages) + request.prefix}
    messages = [_message(m) for m in request.messages]
    if not request.prefix:
        return {"messages": messages}
    messages.append({"role": "assistant", "content": request.prefix})
    return {
        "messages": messages,
        "add_generation_prompt": False,
        "continue_final_message": True,
    }


def _message(message: Message) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.calls:
        told["content"] = told["content"] or None
        told["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.calls
        ]
    if message.call:
        told["tool_call_id"] = message.call
    return told


def _content(message: Message) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    return [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in message.content
    ]


def _tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.about, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _guided(options: Options, request: Request) -> dict[str, Any]:
    if options.guided == "vllm":
        forms = {
            "json": request.schema,
            "regex": request.regex or None,
            "grammar": request.grammar or None,
            "choice": request.choice or None,
        }
        told = {name: form for name, form in forms.items() if form is not None}
        return {"structured_outputs": told} if told else {}
    if options.guided == "response_format" and request.schema is not None:
        # Strict would be a promise of OpenAI's that most schemas do not qualify for. Whoever
        # asks reads the reply with care in any case.
        form = {"name": "reply", "schema": request.schema}
        return {"response_format": {"type": "json_schema", "json_schema": form}}
    return {}


def _purpose(options: Options, request: Request) -> dict[str, Any]:
    """polyarch's own field. In a plain prompt nothing else tells where the reply begins."""
    purpose = request.purpose
    told = {"role": purpose.role, "question": purpose.question, "shown": purpose.shown}
    return told | {"prefix": request.prefix} if options.api == "completions" else told


def _put(fields: dict[str, Any], path: str, value: int) -> None:
    """Write a field that may lie within others."""
    *outer, name = path.split(".")
    for key in outer:
        fields = fields.setdefault(key, {})
    fields[name] = value
