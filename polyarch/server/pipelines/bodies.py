"""The bodies of requests to a pipeline.

How its models are asked is the pipeline's to say: parameters of sampling are taken, since clients
send them with everything, decide nothing, and are named in the reply. What would change the form
of the reply, and cannot, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from ..bodies import Body, FormatBody, MessageBody, Shaped, Some, ToolBody

__all__ = ["BudgetBody", "ChatBody", "Extension", "PipelineBody", "TextBody", "ignored"]


class BudgetBody(Shaped):
    """Limits of this request, within those of the pipeline and of the server."""

    calls: Some | None = None
    tokens: Some | None = None
    usd: Annotated[float, Field(gt=0)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    on_budget: Literal["best", "fail"] = "fail"


class Extension(Shaped):
    """polyarch's own field."""

    budget: BudgetBody | None = None
    progress: bool = False
    """Whether a stream tells every event of the run, as comments."""
    parts: bool = False
    """Whether `progress` tells the texts of all steps while they are written, too: `wrote`."""
    record: Mapping[str, Any] | None = None
    """The fields of a pipeline that asks for a record."""


class PipelineBody(Body):
    """What chats and text completions share."""

    response_format: FormatBody | None = None
    polyarch: Extension | None = None

    max_tokens: Some | None = None
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: Mapping[str, float] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None


class ChatBody(PipelineBody):
    """POST /v1/chat/completions."""

    messages: Annotated[tuple[MessageBody, ...], Field(min_length=1)]
    logprobs: Literal[False] | None = None
    tools: Annotated[tuple[ToolBody, ...], Field(max_length=0)] | None = None
    """The tools of a pipeline are its own."""
    tool_choice: Literal["auto", "none"] | None = None
    parallel_tool_calls: bool | None = None

    max_completion_tokens: Some | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None


class TextBody(PipelineBody):
    """POST /v1/completions, with one prompt."""

    prompt: str | Annotated[tuple[str, ...], Field(min_length=1, max_length=1)]
    logprobs: None = None
    best_of: Literal[1] | None = None
    echo: Literal[False] | None = None
    suffix: Literal[""] | None = None


_WITHOUT_EFFECT = (
    *("temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens"),
    *("presence_penalty", "frequency_penalty", "logit_bias", "reasoning_effort", "verbosity"),
)


def ignored(body: PipelineBody) -> tuple[str, ...]:
    """The parameters that were given and decide nothing."""
    return tuple(name for name in _WITHOUT_EFFECT if getattr(body, name, None) is not None)
