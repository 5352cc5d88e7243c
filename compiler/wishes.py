"""What a request may ask for beside a plain text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .values import Json, Tool

__all__ = ["PLAIN", "Wanted", "Wishes"]

Wanted: TypeAlias = Literal["text", "reward", "embedding"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request asks for beside a plain text; `backends.base.Request` says what each means.

    How many tokens of reasoning there may be is no wish but an argument of the asking operator,
    `thinking`, as `temperature` is.
    """

    prefix: str = ""
    schema: Mapping[str, Json] | None = None
    regex: str = ""
    grammar: str = ""
    choice: tuple[str, ...] = ()
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    tools: tuple[Tool, ...] = ()
    wants: Wanted = "text"


PLAIN = Wishes()
"""Nothing but a text."""
