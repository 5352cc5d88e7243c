"""The bodies of requests to a model: OpenAI's, with vLLM's additions to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from ..bodies import Body, FormatBody, MessageBody, Shaped, Some, ToolBody, Whole

__all__ = ["ChatBody", "Extension", "ModelBody", "OutputsBody", "TextBody"]

_NEVER_MORE = 20
"""Alternatives to a token, at most."""


class OutputsBody(Shaped):
    """vLLM's `structured_outputs`: what the reply must meet, one of the four."""

    # An alias, since a field must not hide pydantic's own method `json`.
    schema_: Mapping[str, Any] | None = Field(None, alias="json")
    regex: str | None = None
    choice: tuple[str, ...] | None = None
    grammar: str | None = None


class Extension(Shaped):
    """polyarch's own field: what a request is for, for models with prompts of their own."""

    role: str
    question: str
    shown: tuple[str, ...] = ()
    prefix: str = ""
    """Of a text completion: the part of its prompt that is the beginning of the reply."""


class ModelBody(Body):
    """What chats and text completions share."""

    max_tokens: Some | None = None
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    """0 and -1 keep all."""
    prompt_logprobs: Whole | None = None
    response_format: FormatBody | None = None
    structured_outputs: OutputsBody | None = None
    thinking_token_budget: Some | None = None
    polyarch: Extension | None = None

    # Neutral values alone.
    presence_penalty: Literal[0] | Annotated[float, Field(ge=0, le=0)] | None = None
    frequency_penalty: Literal[0] | Annotated[float, Field(ge=0, le=0)] | None = None
    logit_bias: Annotated[Mapping[str, float], Field(max_length=0)] | None = None


class ChatBody(ModelBody):
    """POST /v1/chat/completions."""

    messages: Annotated[tuple[MessageBody, ...], Field(min_length=1)]
    max_completion_tokens: Some | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=_NEVER_MORE)] | None = None
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None
    tools: tuple[ToolBody, ...] | None = None
    tool_choice: Literal["auto", "none"] | None = None
    parallel_tool_calls: bool | None = None


class TextBody(ModelBody):
    """POST /v1/completions, with one prompt."""

    prompt: str | Annotated[tuple[str, ...], Field(min_length=1, max_length=1)]
    logprobs: Annotated[int, Field(ge=0, le=_NEVER_MORE)] | None = None
    best_of: Some | None = None
    echo: Literal[False] | None = None
    suffix: Literal[""] | None = None
