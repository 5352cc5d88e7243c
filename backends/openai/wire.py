"""What a server says: the parts that are read here of OpenAI's replies, whole or in chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pydantic import TypeAdapter

__all__ = [
    "Call",
    "Called",
    "Choice",
    "Chunk",
    "Details",
    "Likely",
    "Logprobs",
    "Numbers",
    "Of",
    "Prompt",
    "PromptToken",
    "Said",
    "Spent",
    "Token",
    "chunk",
    "numbers",
]


@dataclass(slots=True)
class Called:
    """A function with its arguments, as text."""

    name: str | None = None
    arguments: str | None = None


@dataclass(slots=True)
class Call:
    """A call of a tool, or what is new of it. `index` tells calls of one reply apart."""

    index: int | None = None
    id: str | None = None
    function: Called | None = None


@dataclass(slots=True)
class Said:
    """A message, or what is new of it. Servers call the reasoning by either name."""

    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None


@dataclass(slots=True)
class Likely:
    """A token that might have been sampled."""

    token: str
    logprob: float


@dataclass(slots=True)
class Token(Likely):
    """A token that was sampled, with alternatives."""

    top_logprobs: list[Likely] | None = None


@dataclass(slots=True)
class Logprobs:
    """Of a chat `content`, of a text completion the rest."""

    content: list[Token] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


@dataclass(slots=True)
class PromptToken:
    """A token of the prompt, or one that might have been there."""

    logprob: float
    decoded_token: str | None = None


Prompt: TypeAlias = list[dict[str, PromptToken] | None]
"""For each token of the prompt, itself first, then others that might have been there."""


@dataclass(slots=True)
class Choice:
    """One of the choices: whole in `message`, in chunks in `delta`, of a text completion `text`."""

    index: int = 0
    delta: Said | None = None
    message: Said | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    prompt_logprobs: Prompt | None = None


@dataclass(slots=True)
class Details:
    """What the tokens of a prompt were made of."""

    cached_tokens: int | None = None


@dataclass(slots=True)
class Spent:
    """What was spent, reasoning included."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: Details | None = None


@dataclass(slots=True)
class Chunk:
    """A whole reply, a chunk of one, or an error instead."""

    choices: list[Choice] | None = None
    usage: Spent | None = None
    error: object = None
    prompt_logprobs: Prompt | None = None
    """Of a chat; of a text completion they are with the choice."""


@dataclass(slots=True)
class Of:
    """The numbers of one input, by whatever name the API has for them."""

    embedding: list[float] | None = None
    data: list[float] | list[list[float]] | None = None
    probs: list[float] | None = None
    score: float | None = None


@dataclass(slots=True)
class Numbers:
    """A reply that is an embedding or a reward, or an error instead."""

    data: list[Of] | None = None
    usage: Spent | None = None
    error: object = None


chunk = TypeAdapter(Chunk).validate_json
"""Read a chunk. Raises pydantic's `ValidationError`."""

numbers = TypeAdapter(Numbers).validate_json
"""Read numbers. Raises pydantic's `ValidationError`."""
