"""What a request asks for, without what its model does not offer and its step can do without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..backends.base import Request, needs
from ..compiler.model import Capability

__all__ = ["fitted"]


def fitted(
    request: Request, offered: frozenset[Capability], optional: frozenset[Capability]
) -> Request:
    """The request without what is `optional` and not offered. What is needed and not offered stays:
    the backend refuses it."""
    spared = optional - offered
    lacking = spared.intersection(needs(request)) if spared else ()
    if not lacking:
        return request
    return replace(request, **{_FIELDS[need][0]: _FIELDS[need][1] for need in lacking})


_FIELDS: Mapping[Capability, tuple[str, Any]] = {
    Capability.CONTINUATION: ("prefix", ""),
    Capability.GUIDED_JSON: ("schema", None),
    Capability.GUIDED_REGEX: ("regex", ""),
    Capability.GUIDED_GRAMMAR: ("grammar", ""),
    Capability.GUIDED_CHOICE: ("choice", ()),
    Capability.LOGPROBS: ("logprobs", None),
    Capability.PROMPT_LOGPROBS: ("prompt_logprobs", None),
    Capability.TOOLS: ("tools", ()),
    Capability.REWARD: ("wants", "text"),
    Capability.EMBEDDINGS: ("wants", "text"),
    Capability.THINKING: ("thinking", None),
}
"""The field of a request that needs a capability, and its value when nothing is asked for."""
