"""What a reply may hold beside its text: gathered from pieces, written down as JSON, read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite, nan
from typing import Any, Protocol, TypedDict

from ..backends.base import Piece
from ..compiler.values import Json, TokenLogprob, ToolCall

__all__ = ["Beside", "Extras", "Gathered", "dumped", "loaded"]


class Extras(TypedDict, total=False):
    """What a reply holds beside its text, as far as there is any, by the names of `Reply`."""

    reasoning: str
    logprobs: tuple[TokenLogprob, ...]
    prompt_logprobs: tuple[TokenLogprob, ...]
    calls: tuple[ToolCall, ...]
    values: tuple[float, ...]


class Beside(Protocol):
    """Anything that holds what a `Reply` holds beside its text."""

    @property
    def reasoning(self) -> str:
        """What came before the text."""

    @property
    def logprobs(self) -> tuple[TokenLogprob, ...]:
        """Of the text's tokens."""

    @property
    def prompt_logprobs(self) -> tuple[TokenLogprob, ...]:
        """Of the prompt's tokens."""

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """Those that the model wants made."""

    @property
    def values(self) -> tuple[float, ...]:
        """A reward, or an embedding."""


class Gathered:
    """What came of a request's draws beside their texts.

    `prompt_logprobs` are of the prompt and go with each of its draws.
    """

    __slots__ = ("_draws", "_prompt")

    def __init__(self) -> None:
        self._draws: dict[int, list[Piece]] = {}
        self._prompt: tuple[TokenLogprob, ...] = ()

    def take(self, piece: Piece) -> None:
        """Remember what a piece holds beside text."""
        if piece.prompt_logprobs:
            self._prompt = piece.prompt_logprobs
        self._draws.setdefault(piece.draw, []).append(piece)

    def end(self, draw: int) -> Extras:
        """What a draw that ended holds."""
        pieces = self._draws.pop(draw, ())
        told: Extras = {}
        if reasoning := "".join([piece.reasoning for piece in pieces]):
            told["reasoning"] = reasoning
        if logprobs := tuple(one for piece in pieces for one in piece.logprobs):
            told["logprobs"] = logprobs
        if self._prompt:
            told["prompt_logprobs"] = self._prompt
        if calls := tuple(call for piece in pieces for call in piece.calls):
            told["calls"] = calls
        if values := tuple(value for piece in pieces for value in piece.values):
            told["values"] = values
        return told


def dumped(reply: Beside) -> dict[str, Json]:
    """What a reply holds beside its text, as JSON; only what there is.

    JSON knows no infinity: a probability of zero is written as null, and so is what is no number.
    """
    told: dict[str, Json] = {}
    if reply.reasoning:
        told["reasoning"] = reply.reasoning
    if reply.logprobs:
        told["logprobs"] = _dumped_tokens(reply.logprobs)
    if reply.prompt_logprobs:
        told["prompt_logprobs"] = _dumped_tokens(reply.prompt_logprobs)
    if reply.calls:
        told["calls"] = [[call.id, call.name, call.arguments] for call in reply.calls]
    if reply.values:
        told["values"] = [_dumped_number(value) for value in reply.values]
    return told


def loaded(told: Mapping[str, Any]) -> Extras:
    """What `dumped` told, among whatever else there is.

    Raises KeyError, TypeError and ValueError for what `dumped` never tells.
    """
    extras: Extras = {}
    if "reasoning" in told:
        extras["reasoning"] = str(told["reasoning"])
    if "logprobs" in told:
        extras["logprobs"] = _loaded_tokens(told["logprobs"])
    if "prompt_logprobs" in told:
        extras["prompt_logprobs"] = _loaded_tokens(told["prompt_logprobs"])
    if "calls" in told:
        extras["calls"] = tuple(ToolCall(*map(str, call)) for call in told["calls"])
    if "values" in told:
        extras["values"] = tuple(_loaded_number(value, nan) for value in told["values"])
    return extras


def _dumped_tokens(tokens: Iterable[TokenLogprob]) -> Json:
    return [
        [one.token, _dumped_number(one.logprob)]
        if not one.top
        else [one.token, _dumped_number(one.logprob), [[t, _dumped_number(p)] for t, p in one.top]]
        for one in tokens
    ]


def _loaded_tokens(told: Iterable[Sequence[Any]]) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(
            str(token),
            _loaded_number(logprob, -inf),
            tuple((str(t), _loaded_number(p, -inf)) for t, p in (top[0] if top else ())),
        )
        for token, logprob, *top in told
    )


def _dumped_number(value: float) -> float | None:
    return value if isfinite(value) else None


def _loaded_number(value: float | None, instead: float) -> float:
    return instead if value is None else float(value)
