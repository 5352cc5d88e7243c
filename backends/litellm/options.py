"""What may be written under `options:` of a litellm model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ...compiler.errors import NoSuchModel
from ...compiler.model import Capability, ModelInfo, Price
from ...compiler.values import Json
from .. import settings
from ..prices import Listed, listed
from ..settings import address, more_fields, open_headers

__all__ = ["BOUNDED", "SEVERAL", "Options", "checked"]

SEVERAL = frozenset(
    {
        *("azure", "databricks", "fireworks_ai", "gemini", "hosted_vllm", "openai"),
        *("openrouter", "together_ai", "vertex_ai", "xai"),
    }
)
"""Providers that take `n`, by litellm's word."""

BOUNDED = frozenset({"anthropic", "bedrock", "databricks", "gemini", "openrouter", "vertex_ai"})
"""Providers that take a bound on the reasoning of models that reason, by litellm's word."""

_WRITTEN = frozenset(
    {
        *("acompletion", "aembedding", "api_base", "api_key", "api_version", "base_url", "caching"),
        *("client", "drop_params", "extra_headers", "fallbacks", "input", "logprobs"),
        *("max_completion_tokens", "max_retries", "max_tokens", "messages", "mock_response"),
        *("model", "model_list", "n", "no-log", "num_retries", "organization", "response_format"),
        *("seed", "stop", "stream", "stream_options", "temperature", "thinking", "timeout"),
        *("tools", "top_k", "top_logprobs", "top_p"),
    }
)
"""Arguments of litellm's that have a place of their own here, or none."""

_Whole = Annotated[int, Field(ge=1)]


class Options(BaseModel):
    """Where a litellm model is, and what it can do where litellm's table does not say."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    api_base: str | None = None
    """The server's address, where it is not the provider's own."""
    key_env: Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")] | None = None
    """The name of the environment variable that holds the key. Left out, litellm reads the
    provider's own, such as ANTHROPIC_API_KEY; but with `api_base` no server but Azure's is sent a
    key that was not named for it."""
    api_version: str | None = None
    """Azure's `api-version`."""
    organization: str | None = None
    """OpenAI's organization."""
    headers: Mapping[str, str] = Field(default_factory=dict)
    """More headers, without secrets."""
    base_model: str | None = None
    """The name under which the table has this model, where a deployment has one of its own."""
    n: bool | None = None
    """Whether one request may ask for several draws; they then come whole, since litellm's streams
    tell one end for all. Left out: where the provider takes it, unless `seed` is on."""
    stream: bool = True
    """Whether the reply to a request for one draw comes piece by piece. What was spent on a whole
    one that is cut short is a guess."""
    seed: bool = False
    """Whether each draw's seed is sent."""
    logprobs: bool = False
    """Whether the model tells the probabilities of tokens."""
    tools: bool | None = None
    """Whether the model calls tools. Left out, here and below: what the table says."""
    images: bool | None = None
    """Whether the model takes images."""
    guided: bool | None = None
    """Whether a reply is bound to a JSON Schema, by `response_format`."""
    thinking: bool | None = None
    """Whether the model takes a bound on its reasoning, by `thinking`."""
    continuation: bool | None = None
    """Whether a chat may end with the beginning of the reply."""
    embeddings: bool | None = None
    """Whether the model makes embeddings."""
    purpose: bool = False
    """Whether a request's purpose is sent as the field `polyarch`, which `polyarch serve-model`
    reads: models with a prompt format of their own render from it."""
    context: _Whole | None = None
    """The longest prompt and completion together, in tokens. Left out: the longest prompt by the
    table, else 128,000."""
    max_tokens: _Whole = 1024
    """The bound on a completion where a pipeline names none."""
    max_draws: _Whole = 8
    """Most draws in one request."""
    timeout_read: Annotated[float, Field(gt=0)] = 600.0
    """Seconds to wait for a connection, and for the next byte. How long a whole reply may take is
    the model's `timeout:`."""
    extra: Mapping[str, Any] = Field(default_factory=dict)
    """More arguments for litellm, such as `reasoning_effort` or `aws_region_name`."""

    @field_validator("api_base")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        return None if url is None else address(url)

    @field_validator("headers")
    @classmethod
    def _holds_no_secrets(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        return open_headers(headers)

    @field_validator("extra")
    @classmethod
    def _adds_only(cls, extra: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in extra:
            if any(part in name.lower() for part in ("key", "secret", "token", "password")):
                raise ValueError(f"{name} may be a secret: put it into litellm's variable for it")
        return more_fields(extra, _WRITTEN)

    def together(self, provider: str) -> bool:
        """Whether several draws are asked for in one request."""
        return (not self.seed and provider in SEVERAL) if self.n is None else self.n

    def info(self, model: str) -> ModelInfo:
        """What the table and these options say of a model. Raises `NoSuchModel` for a name without
        a provider that the table does not have."""
        known = listed(self.base_model or model)
        provider, slash, _ = model.partition("/")
        if known is None:
            if not slash:
                raise NoSuchModel(
                    f"litellm/{model}: no such model in litellm's table; "
                    f"name its provider, as in litellm/openai/{model}"
                )
            known = Listed(provider, None, None, None, frozenset())
        elif not slash:
            provider = known.provider
        together = self.together(provider)
        return ModelInfo(
            context=self.context or known.context or 128_000,
            max_tokens=min(self.max_tokens, known.max_tokens or self.max_tokens),
            capabilities=self._offers(known, provider, together),
            price=known.price or Price(),
            priced=known.price is not None,
            max_draws=self.max_draws if together else 1,
        )

    def _offers(self, known: Listed, provider: str, together: bool) -> frozenset[Capability]:
        told = known.offers if provider in BOUNDED else known.offers - {Capability.THINKING}
        stated = {
            Capability.CONTINUATION: self.continuation,
            Capability.EMBEDDINGS: self.embeddings,
            Capability.GUIDED_JSON: self.guided,
            Capability.IMAGES: self.images,
            Capability.THINKING: self.thinking,
            Capability.TOOLS: self.tools,
        }
        offers = {
            **{what: what in told if said is None else said for what, said in stated.items()},
            Capability.DRAWS: together,
            Capability.LOGPROBS: self.logprobs,
            Capability.SEED: self.seed,
            Capability.STOP: True,
            Capability.CANCEL: True,
        }
        return frozenset(what for what, offered in offers.items() if offered)


def checked(model: str, options: Mapping[str, Json]) -> Options:
    """The options of a model. Raises `BadRequest`, which names the one that is wrong."""
    return settings.checked(Options, f"litellm/{model}", options)
