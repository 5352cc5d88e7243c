"""Messages as chat templates read them."""

from __future__ import annotations

from typing import Any

from ...compiler.values import Image, Message, ToolCall
from ..base import Request

__all__ = ["chat", "template_kwargs"]


def chat(request: Request) -> list[dict[str, Any]]:
    """The messages of a request; a reply to be continued comes last."""
    messages = [_message(message) for message in request.messages]
    if request.prefix:
        messages.append({"role": "assistant", "content": request.prefix})
    return messages


def template_kwargs(request: Request) -> dict[str, Any]:
    """How the template ends: before a reply, within one, or after the last message."""
    if request.prefix:
        return {"add_generation_prompt": False, "continue_final_message": True}
    return {"add_generation_prompt": request.wants == "text"}


def _message(message: Message) -> dict[str, Any]:
    made: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.calls:
        made["tool_calls"] = [_call(call) for call in message.calls]
    if message.call:
        made["tool_call_id"] = message.call
    return made


def _content(message: Message) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    return [
        {"type": "image_url", "image_url": {"url": part.url}}
        if isinstance(part, Image)
        else {"type": "text", "text": part}
        for part in message.content
    ]


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}
