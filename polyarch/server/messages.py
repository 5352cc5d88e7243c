"""The turns of a chat over the wire, as messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..compiler.values import Content, Image, Message, ToolCall
from .bodies import MessageBody
from .read import Unreadable

__all__ = ["last_said", "messages"]


def messages(turns: Iterable[MessageBody]) -> list[Message]:
    """The chat. Raises `Unreadable`."""
    return [_message(turn, place) for place, turn in enumerate(turns)]


def last_said(chat: Sequence[Message]) -> str:
    """The last thing that the user said. Raises `Unreadable`."""
    said = [message.text for message in chat if message.role == "user"]
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
