"""A request as the arguments of litellm's functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...compiler.values import Message, Tool
from ..base import Request
from .faults import Faults
from .options import Options

__all__ = ["Target", "body", "embedded"]

_AT_ONE = frozenset({"anthropic", "azure", "azure_ai", "openai"})
"""Providers whose temperature and top_p are 1 if left out, and of which some models refuse even
that. Others have defaults of their own."""


class Target:
    """A model as litellm knows it: where it is, and which arguments it takes."""

    __slots__ = ("at_one", "faults", "fixed", "options", "provider", "takes")

    def __init__(self, litellm: Any, model: str, options: Options, faults: Faults) -> None:
        """Raises `NoSuchModel`, `BadRequest` for an option that the provider has not."""
        name, provider, self.takes = _known(litellm, model, options, faults)
        self.provider: str = provider
        self.at_one = provider in _AT_ONE or "claude" in name
        self.options = options
        self.faults = faults
        self.fixed = _fixed(model, options)
        stated = {"n": options.n, "seed": options.seed, "logprobs": options.logprobs}
        for argument, wanted in stated.items():
            if wanted and not self.taking(argument):
                raise faults.refused(f"takes no {argument}, says litellm: leave the option out")

    def taking(self, argument: str) -> bool:
        """Whether the model takes an argument, as far as litellm knows."""
        return self.takes is None or argument in self.takes


def _known(
    litellm: Any, model: str, options: Options, faults: Faults
) -> tuple[str, str, frozenset[str] | None]:
    """The model's name and provider as litellm knows them, and the arguments that it takes; None
    if litellm does not know."""
    try:
        name, provider, _, _ = litellm.get_llm_provider(model, api_base=options.api_base)
        takes = litellm.get_supported_openai_params(name, provider, base_model=options.base_model)
    except Exception as error:  # noqa: BLE001 -- litellm raises what its providers' code does
        failure = faults.of(error)
    else:
        return name, provider, None if takes is None else frozenset(takes)
    raise failure


def _fixed(model: str, options: Options) -> Mapping[str, Any]:
    """What is the same in every call: no retries, no callbacks, nothing dropped in silence."""
    fields: dict[str, Any] = {
        "model": model,
        "num_retries": 0,
        "max_retries": 0,
        "drop_params": False,
        "no-log": True,
        "timeout": options.timeout_read,
    }
    stated = {
        "api_base": options.api_base,
        "api_version": options.api_version,
        "organization": options.organization,
        "extra_headers": dict(options.headers) or None,
    }
    fields |= {name: value for name, value in stated.items() if value is not None}
    return {**fields, **options.extra}


def body(target: Target, request: Request, *, whole: bool) -> dict[str, Any]:
    """The arguments of `acompletion`. Raises `BadRequest` for what the model does not take."""
    fields = _asked(target, request)
    refused = [name for name in fields if not target.taking(name)]
    if refused:
        raise target.faults.refused(f"takes no {', '.join(refused)}, says litellm")
    fields |= target.fixed
    marked = {} if target.provider == "hosted_vllm" else {"prefix": True}
    fields["messages"] = _messages(request, marked)
    if beyond := _beyond(target, request):
        fields["extra_body"] = {**beyond, **fields.get("extra_body", {})}
    if request.top_k:
        fields["top_k"] = request.top_k
    if not whole:
        fields["stream"] = True
        fields["stream_options"] = {"include_usage": True}
    return fields


def _asked(target: Target, request: Request) -> dict[str, Any]:
    """OpenAI's parameters, which litellm translates."""
    fields: dict[str, Any] = {"max_tokens": request.most}
    for name, value in (("temperature", request.temperature), ("top_p", request.top_p)):
        if value != 1.0 or (target.taking(name) and not target.at_one):
            fields[name] = value
    if len(request.draws) > 1:
        fields["n"] = len(request.draws)
    if request.stop:
        fields["stop"] = list(request.stop)
    if target.options.seed:
        fields["seed"] = request.draws[0].seed
    if request.logprobs is not None:
        fields |= {"logprobs": True, "top_logprobs": request.logprobs}
    if request.tools:
        fields["tools"] = [_tool(tool) for tool in request.tools]
    if request.thinking is not None:
        fields["thinking"] = _thinking(request.thinking)
    if request.schema is not None:
        form = {"name": "reply", "schema": request.schema}
        fields["response_format"] = {"type": "json_schema", "json_schema": form}
    return fields


def _beyond(target: Target, request: Request) -> Mapping[str, Any]:
    """Fields that litellm does not know, but passes on."""
    fields: dict[str, Any] = {}
    if request.prefix and target.provider == "hosted_vllm":
        fields |= {"continue_final_message": True, "add_generation_prompt": False}
    if target.options.purpose:
        purpose = request.purpose
        told = {"role": purpose.role, "question": purpose.question, "shown": purpose.shown}
        fields["polyarch"] = told
    return fields


def embedded(target: Target, request: Request) -> dict[str, Any]:
    """The arguments of `aembedding`."""
    text = "\n\n".join(message.text for message in request.messages)
    return {**target.fixed, "input": [text]}


def _thinking(most: int) -> Mapping[str, Any]:
    return {"type": "enabled", "budget_tokens": most} if most else {"type": "disabled"}


def _messages(request: Request, marked: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages = [_message(message) for message in request.messages]
    if request.prefix:
        messages.append({"role": "assistant", "content": request.prefix, **marked})
    return messages


def _message(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.call:
        fields["tool_call_id"] = message.call
    if message.calls:
        fields["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.calls
        ]
    return fields


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
    told = {"name": tool.name, "description": tool.about, "parameters": tool.parameters}
    return {"type": "function", "function": told}
