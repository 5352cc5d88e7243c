"""Pieces of completions, as replies over the wire: whole, or in chunks."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from ..backends.base import Piece, TokenLogprob
from ..compiler.values import NOTHING, Json, ToolCall
from .shape import Shape

__all__ = ["DONE", "Reply", "comment", "event"]

DONE = b"data: [DONE]\n\n"
"""The last event of a stream."""

_LEAST = -9999.0
"""What OpenAI and vLLM write for a token that cannot be: JSON has no infinity."""
_FINISHES: Mapping[str, str] = {"content": "content_filter", "tools": "tool_calls"}


def event(told: Mapping[str, Any]) -> bytes:
    """A server-sent event that holds this."""
    return b"data: %b\n\n" % json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")


def comment(told: Json = None) -> bytes:
    """A comment in a stream of events, which clients pass over: this, or nothing, so that whoever
    is between does not take the connection for dead."""
    if told is None:
        return b":\n\n"
    return b": %b\n\n" % json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")


class Reply:
    """The reply to one request, as far as it has come."""

    def __init__(self, shape: Shape) -> None:
        self._asked = shape
        self._created = int(time.time())
        self._draws = {index: _Draw() for index in range(shape.choices)}
        self._closing: Mapping[str, Json] = NOTHING
        self.prompt_tokens = self.cached_tokens = self.completion_tokens = 0

    def chunk(self, piece: Piece) -> Mapping[str, Any] | None:
        """What there is to say of a piece in a stream; None if there is nothing."""
        draw = self._hear(piece)
        counts = self._asked.continuous and piece.completion_tokens
        if not (counts or _says(piece)):
            return None
        choice = self._choice(piece.draw, _delta(piece, draw) if self._asked.chat else piece.text)
        choice["logprobs"] = self._logprobs(piece.logprobs, draw.offset)
        choice["finish_reason"] = _finish(piece.finish)
        draw.offset += len(piece.text)
        told = self._head("chat.completion.chunk")
        if piece.prompt_logprobs:
            place = told if self._asked.chat else choice
            place["prompt_logprobs"] = _prompt_logprobs(piece.prompt_logprobs)
        told["choices"] = [choice]
        if self._asked.continuous:
            told["usage"] = self._usage(draw.tokens)
        if self._closing:
            told["polyarch"], self._closing = self._closing, NOTHING
        return told

    def last(self) -> Mapping[str, Any] | None:
        """The usage that a stream ends with, if that is wanted."""
        if not self._asked.usage:
            return None
        head = self._head("chat.completion.chunk")
        return {**head, "choices": [], "usage": self._usage(self.completion_tokens)}

    def close(self, told: Mapping[str, Json]) -> None:
        """What the field `polyarch` holds: of a stream, that of the next chunk."""
        self._closing = told

    def add(self, piece: Piece) -> None:
        """Keep a piece for the whole reply."""
        draw = self._hear(piece)
        draw.text += piece.text
        draw.reasoning += piece.reasoning
        draw.logprobs += piece.logprobs
        draw.calls += piece.calls
        draw.prompt_logprobs += piece.prompt_logprobs
        draw.finish = piece.finish or draw.finish

    def whole(self) -> Mapping[str, Any]:
        """All of it."""
        told = self._head("chat.completion")
        told["choices"] = [
            self._whole(index, draw) for index, draw in self._draws.items() if draw.finish
        ]
        told["usage"] = self._usage(self.completion_tokens)
        if self._closing:
            told["polyarch"] = self._closing
        found = next((d.prompt_logprobs for d in self._draws.values() if d.prompt_logprobs), None)
        if found:
            # Of a chat they are the reply's, of a text completion the choice's, as with vLLM.
            place = told if self._asked.chat else told["choices"][0]
            place["prompt_logprobs"] = _prompt_logprobs(tuple(found))
        return told

    def _hear(self, piece: Piece) -> _Draw:
        draw = self._draws[piece.draw]
        self.prompt_tokens += piece.prompt_tokens
        self.cached_tokens += piece.cached_tokens
        self.completion_tokens += piece.completion_tokens
        draw.tokens += piece.completion_tokens
        return draw

    def _whole(self, index: int, draw: _Draw) -> dict[str, Any]:
        said: Any = draw.text
        if self._asked.chat:
            said = {"role": "assistant", "content": draw.text or None if draw.calls else draw.text}
            if draw.reasoning:
                said["reasoning_content"] = draw.reasoning
            if draw.calls:
                said["tool_calls"] = [_call(call) for call in draw.calls]
        choice = self._choice(index, said, "message")
        choice["logprobs"] = self._logprobs(tuple(draw.logprobs), 0)
        choice["finish_reason"] = _finish(draw.finish)
        return choice

    def _choice(self, index: int, said: Any, name: str = "delta") -> dict[str, Any]:
        return {"index": index, name if self._asked.chat else "text": said}

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self._asked.id,
            "object": kind if self._asked.chat else "text_completion",
            "created": self._created,
            "model": self._asked.name,
        }

    def _usage(self, completion: int) -> Mapping[str, Any]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }

    def _logprobs(self, told: tuple[TokenLogprob, ...], offset: int) -> Mapping[str, Any] | None:
        if not told:
            return None
        if self._asked.chat:
            return {"content": [_token(token) for token in told]}
        offsets = []
        for token in told:
            offsets.append(offset)
            offset += len(token.token)
        return {
            "tokens": [token.token for token in told],
            "token_logprobs": [max(token.logprob, _LEAST) for token in told],
            "top_logprobs": [{t: max(v, _LEAST) for t, v in token.top} for token in told],
            "text_offset": offsets,
        }


class _Draw:
    """What was said of one draw."""

    __slots__ = (
        "begun",
        "calls",
        "finish",
        "logprobs",
        "offset",
        "prompt_logprobs",
        "reasoning",
        "text",
        "tokens",
    )

    def __init__(self) -> None:
        self.text = self.reasoning = self.finish = ""
        self.logprobs: list[TokenLogprob] = []
        self.prompt_logprobs: list[TokenLogprob] = []
        self.calls: list[ToolCall] = []
        self.tokens = self.offset = 0
        self.begun = False
        """Whether its role was told."""


def _says(piece: Piece) -> bool:
    said = piece.text or piece.reasoning or piece.finish
    return bool(said or piece.calls or piece.logprobs or piece.prompt_logprobs)


def _delta(piece: Piece, draw: _Draw) -> Mapping[str, Any]:
    delta: dict[str, Any] = {} if draw.begun else {"role": "assistant", "content": ""}
    draw.begun = True
    if piece.text:
        delta["content"] = piece.text
    if piece.reasoning:
        delta["reasoning_content"] = piece.reasoning
    if piece.calls:
        delta["tool_calls"] = [
            {"index": place, **_call(call)} for place, call in enumerate(piece.calls)
        ]
    return delta


def _call(call: ToolCall) -> Mapping[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _finish(finish: str) -> str | None:
    return _FINISHES.get(finish, finish) or None


def _token(token: TokenLogprob) -> Mapping[str, Any]:
    return {
        **_likely(token.token, token.logprob),
        "top_logprobs": [_likely(text, value) for text, value in token.top],
    }


def _likely(token: str, logprob: float) -> dict[str, Any]:
    told = list(token.encode("utf-8", "replace"))
    return {"token": token, "logprob": max(logprob, _LEAST), "bytes": told}


def _prompt_logprobs(told: tuple[TokenLogprob, ...]) -> list[Any]:
    """As vLLM tells them: nothing of the first token, then for each its own and the likeliest, by
    places that stand for token ids."""
    rows: list[Any] = [None]
    for token in told:
        likely = [(token.token, token.logprob), *(o for o in token.top if o[0] != token.token)]
        rows.append(
            {
                str(place): {"logprob": max(value, _LEAST), "rank": None, "decoded_token": text}
                for place, (text, value) in enumerate(likely)
            }
        )
    return rows
