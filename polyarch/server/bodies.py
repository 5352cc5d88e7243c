"""The bodies of requests, as OpenAI's API and vLLM's additions to it shape them.

A field that would change the reply and cannot be honoured is taken with its neutral value alone;
one that is not known at all is refused. null is the same as left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Body",
    "ChatBody",
    "Extension",
    "FormatBody",
    "MessageBody",
    "OutputsBody",
    "TextBody",
    "ToolBody",
]

_Whole: TypeAlias = Annotated[int, Field(ge=0)]
_Some: TypeAlias = Annotated[int, Field(ge=1)]
_NEVER_MORE = 20
"""Alternatives to a token, at most."""


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _StreamOptions(_Shape):
    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class OutputsBody(_Shape):
    """vLLM's `structured_outputs`: what the reply must meet, one of the four."""

    # An alias, since a field must not hide pydantic's own method `json`.
    schema_: Mapping[str, Any] | None = Field(None, alias="json")
    regex: str | None = None
    choice: tuple[str, ...] | None = None
    grammar: str | None = None


class _JsonSchema(_Shape):
    name: str | None = None
    description: str | None = None
    strict: bool | None = None
    schema_: Mapping[str, Any] = Field(alias="schema")


class FormatBody(_Shape):
    """OpenAI's `response_format`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema | None = None


class Extension(_Shape):
    """polyarch's own field: what a request is for, for models with prompts of their own."""

    role: str
    question: str
    shown: tuple[str, ...] = ()
    prefix: str = ""
    """Of a text completion: the part of its prompt that is the beginning of the reply."""


class Body(_Shape):
    """What chats and text completions share."""

    model: str
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: _Some | None = None
    seed: int | None = None
    stop: str | tuple[str, ...] | None = None
    max_tokens: _Some | None = None
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    """0 and -1 keep all."""
    prompt_logprobs: _Whole | None = None
    response_format: FormatBody | None = None
    structured_outputs: OutputsBody | None = None
    thinking_token_budget: _Some | None = None
    polyarch: Extension | None = None

    # Of no consequence here.
    user: str | None = None
    metadata: Any = None
    store: bool | None = None
    service_tier: Literal["auto", "default"] | None = None
    # Neutral values alone.
    presence_penalty: Literal[0] | Annotated[float, Field(ge=0, le=0)] | None = None
    frequency_penalty: Literal[0] | Annotated[float, Field(ge=0, le=0)] | None = None
    logit_bias: Annotated[Mapping[str, float], Field(max_length=0)] | None = None


class _Function(_Shape):
    name: str
    description: str | None = None
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    strict: bool | None = None


class ToolBody(_Shape):
    """A tool that the model may call."""

    type: Literal["function"]
    function: _Function


class _Called(_Shape):
    name: str
    arguments: str


class _Call(_Shape):
    id: str
    type: Literal["function"] = "function"
    function: _Called
    index: int | None = None


class _Url(_Shape):
    url: str
    detail: str | None = None


class _TextPart(_Shape):
    type: Literal["text"]
    text: str


class _ImagePart(_Shape):
    type: Literal["image_url"]
    image_url: _Url


_Part: TypeAlias = Annotated[_TextPart | _ImagePart, Field(discriminator="type")]


class MessageBody(_Shape):
    """One turn of a chat."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | tuple[_Part, ...] | None = None
    name: str | None = None
    tool_calls: tuple[_Call, ...] | None = None
    tool_call_id: str | None = None
    # What a reply held may be sent back as it came.
    refusal: str | None = None
    reasoning_content: str | None = None
    annotations: Any = None
    audio: None = None
    function_call: None = None


class ChatBody(Body):
    """POST /v1/chat/completions."""

    messages: Annotated[tuple[MessageBody, ...], Field(min_length=1)]
    max_completion_tokens: _Some | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=_NEVER_MORE)] | None = None
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None
    tools: tuple[ToolBody, ...] | None = None
    tool_choice: Literal["auto", "none"] | None = None
    parallel_tool_calls: bool | None = None


class TextBody(Body):
    """POST /v1/completions, with one prompt."""

    prompt: str | Annotated[tuple[str, ...], Field(min_length=1, max_length=1)]
    logprobs: Annotated[int, Field(ge=0, le=_NEVER_MORE)] | None = None
    best_of: _Some | None = None
    echo: Literal[False] | None = None
    suffix: Literal[""] | None = None
