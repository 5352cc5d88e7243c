"""What a request may ask for beside a plain text, and what its model must offer for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .model import Capability
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

    @property
    def needs(self) -> frozenset[Capability]:
        """What a model must offer for these wishes to be met."""
        wished = {
            Capability.CONTINUATION: bool(self.prefix),
            Capability.GUIDED_JSON: self.schema is not None,
            Capability.GUIDED_REGEX: bool(self.regex),
            Capability.GUIDED_GRAMMAR: bool(self.grammar),
            Capability.GUIDED_CHOICE: bool(self.choice),
            Capability.LOGPROBS: self.logprobs is not None,
            Capability.PROMPT_LOGPROBS: self.prompt_logprobs is not None,
            Capability.TOOLS: bool(self.tools),
            Capability.REWARD: self.wants == "reward",
            Capability.EMBEDDINGS: self.wants == "embedding",
        }
        return frozenset(need for need, there in wished.items() if there)


PLAIN = Wishes()
"""Nothing but a text."""
