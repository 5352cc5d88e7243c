"""A request as vLLM's sampling parameters, by name."""

from __future__ import annotations

from typing import Any

from ..base import Draw, Request

__all__ = ["guides", "is_greedy", "sampling"]

_GREEDY = 1e-5
"""vLLM takes any temperature below for 0."""


def is_greedy(request: Request) -> bool:
    """Whether the likeliest token is taken every time."""
    return request.temperature < _GREEDY


def sampling(request: Request, draws: tuple[Draw, ...], seeded: bool) -> dict[str, Any]:
    """The fields of vLLM's `SamplingParams`, but for those of `guides`, for these draws.

    Several draws have one seed between them, from which vLLM derives theirs by adding 0, 1, 2, …,
    so those that are seeded come one by one.
    """
    fields: dict[str, Any] = {
        "n": len(draws),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
    }
    if request.stop:
        fields["stop"] = list(request.stop)
    if seeded:
        fields["seed"] = draws[0].seed
    if request.logprobs is not None:
        fields["logprobs"] = request.logprobs
    if request.prompt_logprobs is not None:
        fields["prompt_logprobs"] = request.prompt_logprobs
    return fields


def guides(request: Request) -> dict[str, Any]:
    """The fields of vLLM's `StructuredOutputsParams`; empty for a free reply."""
    fields: dict[str, Any] = {}
    if request.schema is not None:
        fields["json"] = request.schema
    if request.regex:
        fields["regex"] = request.regex
    if request.grammar:
        fields["grammar"] = request.grammar
    if request.choice:
        fields["choice"] = list(request.choice)
    return fields
