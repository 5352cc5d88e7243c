"""What the bodies of requests share, as OpenAI's API shapes them.

A field that would change the reply and cannot be honoured is taken with its neutral value alone;
one that is not known at all is refused. null is the same as left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Body",
    "FormatBody",
    "MessageBody",
    "Shaped",
    "Some",
    "ToolBody",
    "Whole",
]

Whole: TypeAlias = Annotated[int, Field(ge=0)]
Some: TypeAlias = Annotated[int, Field(ge=1)]


class Shaped(BaseModel):
    """Something within a body: frozen, strict, and nothing that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _StreamOptions(Shaped):
    include_usage: bool | None = None
    continuous_usage_stats: bool | None = None


class _JsonSchema(Shaped):
    name: str | None = None
    description: str | None = None
    strict: bool | None = None
    schema_: Mapping[str, Any] = Field(alias="schema")


class FormatBody(Shaped):
    """OpenAI's `response_format`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema | None = None


class Body(Shaped):
    """What all requests for a reply share."""

    model: str
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Some | None = None
    seed: int | None = None
    stop: str | tuple[str, ...] | None = None

    # Of no consequence here.
    user: str | None = None
    metadata: Any = None
    store: bool | None = None
    service_tier: Literal["auto", "default"] | None = None


class _Function(Shaped):
    name: str
    description: str | None = None
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    strict: bool | None = None


class ToolBody(Shaped):
    """A tool that the model may call."""

    type: Literal["function"]
    function: _Function


class _Called(Shaped):
    name: str
    arguments: str


class _Call(Shaped):
    id: str
    type: Literal["function"] = "function"
    function: _Called
    index: int | None = None


class _Url(Shaped):
    url: str
    detail: str | None = None


class _TextPart(Shaped):
    type: Literal["text"]
    text: str


class _ImagePart(Shaped):
    type: Literal["image_url"]
    image_url: _Url


_Part: TypeAlias = Annotated[_TextPart | _ImagePart, Field(discriminator="type")]


class MessageBody(Shaped):
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
    # Some applications say so of every turn.
    type: Literal["text", "message"] | None = None
    audio: None = None
    function_call: None = None
