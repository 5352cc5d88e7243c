"""What litellm hands back, to pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...compiler.values import ToolCall
from ..base import Piece, Request, TokenLogprob
from ..likeliest import likeliest
from .faults import Faults

__all__ = ["Streamed", "usage_in", "vector", "whole"]

_CHARS = 4
"""Characters in a token, where nobody says."""

_FINISHES = {
    "content_filter": "content",
    "function_call": "tools",
    "length": "length",
    "tool_calls": "tools",
}
"""Every other reason is a stop."""


class Streamed:
    """Reads the stream of one draw.

    Completion tokens are counted as chunks with something in them, until the server says how many
    there were; the difference is in the last piece, as is the prompt.
    """

    __slots__ = ("_calls", "_counted", "_draw", "_faults", "_request", "finish")

    def __init__(self, request: Request, faults: Faults) -> None:
        self._request = request
        self._faults = faults
        self._draw = request.draws[0].index
        self._counted = 0
        self._calls: dict[int, list[str]] = {}
        self.finish = ""
        """Why it ended, once it has."""

    def take(self, chunk: Any) -> Piece | None:
        """Read a chunk; None if it tells nothing yet."""
        if not chunk.choices:
            return None
        choice = chunk.choices[0]
        delta = choice.delta
        text, reasoning = delta.content or "", getattr(delta, "reasoning_content", None) or ""
        calls = getattr(delta, "tool_calls", None) or ()
        for call in calls:
            self._hear(call)
        if choice.finish_reason:
            self.finish = _FINISHES.get(choice.finish_reason, "stop")
        logprobs = _tokens(getattr(choice, "logprobs", None))
        if not (text or reasoning or calls):
            return Piece(self._draw, logprobs=logprobs) if logprobs else None
        self._counted += 1
        return Piece(self._draw, text, completion_tokens=1, reasoning=reasoning, logprobs=logprobs)

    def end(self, usage: Any) -> Piece:
        """The last piece, by what the server says was spent, if it does."""
        prompt, cached, completion = _spent(usage, self._request)
        change = 0 if completion is None else completion - self._counted
        calls = tuple(ToolCall(*call) for _, call in sorted(self._calls.items()))
        finish = "tools" if calls and self.finish == "stop" else self.finish
        return Piece(self._draw, "", prompt, cached, change, finish, calls=calls)

    def _hear(self, call: Any) -> None:
        """Part of a call: its name comes with the first, its arguments bit by bit."""
        heard = self._calls.setdefault(call.index or 0, ["", "", ""])
        heard[0] = call.id or heard[0]
        heard[1] += call.function.name or ""
        heard[2] += call.function.arguments or ""


async def usage_in(stream: Any) -> Any:
    """What the server says was spent, once a stream has told its finish; None if it does not.

    Asked to go on, litellm would put all chunks together once more, count tokens itself where the
    server told none, and keep that for callbacks; so the rest is read from below it.
    """
    told = [chunk.usage for chunk in stream.chunks if getattr(chunk, "usage", None)]
    if told or not hasattr(stream.completion_stream, "__aiter__"):
        return told[-1] if told else None
    usage = None
    async for chunk in stream.completion_stream:
        found = chunk.get("usage") if isinstance(chunk, dict) else getattr(chunk, "usage", None)
        usage = found or usage
    return usage


def whole(response: Any, request: Request, faults: Faults) -> Iterator[Piece]:
    """The pieces of a reply that came whole, one a draw. Raises `ServerFailed`."""
    if len(response.choices) != len(request.draws):
        raise faults.unreadable(
            f"gave {len(response.choices)} of {len(request.draws)} draws; "
            "if it takes no n: options: {n: false}"
        )
    prompt, cached, completion = _spent(getattr(response, "usage", None), request)
    choices = sorted(response.choices, key=lambda choice: choice.index)
    lengths = [_length(choice.message) for choice in choices]
    for draw, choice, tokens in zip(
        request.draws, choices, _shares(completion, lengths), strict=True
    ):
        message = choice.message
        calls = tuple(
            ToolCall(call.id or "", call.function.name or "", call.function.arguments or "")
            for call in getattr(message, "tool_calls", None) or ()
        )
        finish = _FINISHES.get(choice.finish_reason or "", "stop")
        yield Piece(
            draw.index,
            message.content or "",
            prompt,
            cached,
            tokens,
            "tools" if calls and finish == "stop" else finish,
            getattr(message, "reasoning_content", None) or "",
            _tokens(getattr(choice, "logprobs", None)),
            calls=calls,
        )
        prompt = cached = 0


def vector(response: Any, request: Request, faults: Faults) -> Piece:
    """The piece of an embedding. Raises `ServerFailed`."""
    data: Any = response.data or ()
    if len(data) != 1 or not (values := data[0]["embedding"]) or isinstance(values, str):
        raise faults.unreadable("gave no embedding")
    prompt, cached, _ = _spent(getattr(response, "usage", None), request)
    return Piece(
        request.draws[0].index,
        prompt_tokens=prompt,
        cached_tokens=cached,
        finish="stop",
        values=tuple(map(float, values)),
    )


def _spent(usage: Any, request: Request) -> tuple[int, int, int | None]:
    """Tokens of the prompt, those of them that were cached, and of the completion; the prompt
    estimated by its length, and the completion None, where nobody says."""
    prompt = getattr(usage, "prompt_tokens", None) or 0
    if not prompt:
        text = sum(len(message.text) for message in request.messages)
        return max(1, round(text / _CHARS)), 0, getattr(usage, "completion_tokens", None) or None
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    return prompt, min(cached, prompt), getattr(usage, "completion_tokens", None)


def _length(message: Any) -> int:
    said = (message.content or "") + (getattr(message, "reasoning_content", None) or "")
    calls = getattr(message, "tool_calls", None) or ()
    return len(said) + sum(len(call.function.arguments or "") for call in calls)


def _shares(tokens: int | None, lengths: list[int]) -> list[int]:
    """The completion's tokens over the draws, by the lengths of their texts; the sum is exact."""
    if tokens is None:
        return [max(1, length // _CHARS) for length in lengths]
    total = sum(lengths) or 1
    shares: list[int] = []
    before = given = 0
    for length in lengths[:-1]:
        before += length
        upto = tokens * before // total
        shares.append(upto - given)
        given = upto
    return [*shares, tokens - given]


def _tokens(told: Any) -> tuple[TokenLogprob, ...]:
    content = getattr(told, "content", None)
    return tuple(
        TokenLogprob(
            token.token,
            token.logprob,
            likeliest((other.token, other.logprob) for other in token.top_logprobs or ()),
        )
        for token in content or ()
    )
