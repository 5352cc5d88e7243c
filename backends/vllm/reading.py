"""What the engine says of one request, to pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..base import Draw, Piece, TokenLogprob
from .faults import Faults

__all__ = ["Reading", "likelihoods", "reward"]

_FAILED = frozenset({"abort", "error"})
"""Finish reasons that are none."""


class Reading:
    """Reads the outputs of one request to the engine; output k is of the k-th draw.

    The prompt is charged to whichever draw is heard of first.
    """

    __slots__ = ("_billed", "_draws", "_faults", "_logprobs")

    def __init__(
        self, draws: Sequence[Draw], logprobs: int | None, faults: Faults, *, billed: bool = False
    ) -> None:
        """`billed` says that another request is charged with the prompt."""
        self._draws = [draw.index for draw in draws]
        self._logprobs = logprobs
        self._faults = faults
        self._billed = billed

    def pieces(self, output: Any, prompt_logprobs: int | None) -> Iterator[Piece]:
        """What is new. Raises `ServerFailed` for a draw that the engine gave up."""
        for part in output.outputs:
            if part.finish_reason in _FAILED:
                raise self._faults.gave_up(part.finish_reason)
            told = part.logprobs if self._logprobs is not None else None
            prompt, cached, likely = self._bill(output, prompt_logprobs)
            yield Piece(
                self._draws[part.index],
                part.text,
                prompt,
                cached,
                len(part.token_ids),
                _finish(part.finish_reason),
                logprobs=likelihoods(part.token_ids, told, self._logprobs or 0) if told else (),
                prompt_logprobs=likely,
            )

    def _bill(self, output: Any, wanted: int | None) -> tuple[int, int, tuple[TokenLogprob, ...]]:
        """Tokens of the prompt, those found in the cache, and what the prompt's tokens are worth:
        all of it once."""
        if self._billed:
            return 0, 0, ()
        self._billed = True
        ids, told = output.prompt_token_ids, output.prompt_logprobs
        likely: tuple[TokenLogprob, ...] = ()
        if wanted is not None and told:
            likely = likelihoods(ids[1:], told[1:], wanted)
        return len(ids), min(output.num_cached_tokens or 0, len(ids)), likely


def likelihoods(
    tokens: Sequence[int], told: Sequence[Mapping[int, Any]], alternatives: int
) -> tuple[TokenLogprob, ...]:
    """The log probability of each token, and its likeliest alternatives, the likeliest first."""
    return tuple(_likely(token, at, alternatives) for token, at in zip(tokens, told, strict=True))


def _likely(token: int, at: Mapping[int, Any], alternatives: int) -> TokenLogprob:
    ranked = sorted(at.values(), key=lambda found: found.rank)[:alternatives]
    top = tuple((found.decoded_token, found.logprob) for found in ranked)
    return TokenLogprob(at[token].decoded_token, at[token].logprob, top)


def reward(values: Sequence[Any]) -> float | None:
    """The one number of a reward model: for the text as a whole, or after its last token. None if
    there are several."""
    last = values[-1] if values and isinstance(values[-1], Sequence) else values
    return float(last[0]) if len(last) == 1 else None


def _finish(reason: str | None) -> str:
    if reason is None:
        return ""
    return "length" if reason == "length" else "stop"
