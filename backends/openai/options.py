"""What may be written under `options:` of an openai model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ...compiler.model import Capability, ModelInfo
from ...compiler.values import Json
from .. import settings
from ..settings import address, more_fields, open_headers

__all__ = ["Options", "checked"]

_OPENAI = "https://api.openai.com/v1"
_KEY = "OPENAI_API_KEY"

_WRITTEN = frozenset(
    {
        *("input", "max_completion_tokens", "max_tokens", "messages", "model", "n", "polyarch"),
        *("prompt", "seed", "stop", "stream", "stream_options", "temperature", "tools", "top_p"),
    }
)
"""Fields of a body that have a place of their own in a pipeline."""

_Whole = Annotated[int, Field(ge=1)]


class Options(BaseModel):
    """Where an openai model is, and what its server understands."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    base_url: str = _OPENAI
    """The address up to and with `/v1`."""
    key_env: Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")] | None = None
    """The name of the environment variable that holds the key. Left out, it is OPENAI_API_KEY for
    OpenAI itself; no other server is sent a key that was not named for it."""
    headers: Mapping[str, str] = Field(default_factory=dict)
    """More headers, without secrets."""
    api: Literal["chat", "completions", "embeddings", "reward"] = "chat"
    """What is asked of the server. `completions` sends the messages' texts as one plain prompt: for
    base models. `embeddings` and `reward` ask for numbers instead of a text."""
    reward_path: Annotated[str, Field(pattern=r"^/\S+$")] = "/pooling"
    """Where rewards are, beside `/v1`: vLLM's `/pooling`; its `/classify` answers, too."""
    stream: bool = True
    """Whether replies come piece by piece. Whole ones cost less, but what was spent on a request
    that is cut short is then a guess."""
    n: bool | None = None
    """Whether one request may ask for several draws. Left out: no with `seed`, else as the first
    such request shows: what a server leaves out (Ollama, llama.cpp) or refuses is asked apart."""
    seed: bool = False
    """Whether each draw's seed is sent. A request takes one: with `n: true` as well it is that of
    its first draw, and the server must make the others differ (vLLM adds 1, 2, …)."""
    continuous_usage: bool = False
    """Whether the server tells what was spent with every chunk, if asked to (vLLM, SGLang). Then
    the first draw of several need not be held back until all are done."""
    metrics: bool = False
    """Whether the server tells the length of its queue at `/metrics`, as vLLM does; then
    `concurrency: adaptive` heeds it."""
    logprobs: bool = False
    """Whether the server tells the probabilities of tokens."""
    prompt_logprobs: bool = False
    """Whether the server tells the probabilities of the prompt's tokens, as vLLM does."""
    guided: Literal["response_format", "vllm", "none"] = "response_format"
    """How a reply is bound to a form: `response_format` knows JSON Schemas, `vllm` also regular
    expressions, grammars and choices, in the field `structured_outputs`."""
    tools: bool = True
    """Whether the model may be given tools; only in chats."""
    images: bool = True
    """Whether the model may be shown images; only in chats."""
    thinking: Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]+)*$")] | None = None
    """The field of the body that bounds reasoning, in tokens: vLLM's `thinking_token_budget`, or
    `chat_template_kwargs.thinking_budget`. Left out, reasoning cannot be bounded."""
    purpose: bool = False
    """Whether each request says what it is for in the field `polyarch`: for `polyarch serve-model`,
    whose model may have prompts of its own for each role."""
    continuation: bool = False
    """Whether a chat may end with the beginning of the reply (vLLM's `continue_final_message`)."""
    limit: Literal["max_tokens", "max_completion_tokens"] | None = None
    """The field that bounds a completion. Left out: what OpenAI wants for itself, `max_tokens` for
    all others."""
    context: _Whole = 128_000
    """The longest prompt and completion together, in tokens."""
    max_tokens: _Whole = 1024
    """The bound on a completion where a pipeline names none."""
    max_draws: _Whole = 128
    """Most draws in one request."""
    timeout_connect: Annotated[float, Field(gt=0)] = 10.0
    """Seconds to wait for a connection."""
    timeout_read: Annotated[float, Field(gt=0)] = 600.0
    """Seconds to wait for the next byte. How long a whole reply may take is the model's
    `timeout:`."""
    extra: Mapping[str, Any] = Field(default_factory=dict)
    """More fields for the body of every request."""

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return address(url)

    @field_validator("headers")
    @classmethod
    def _holds_no_secrets(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        return open_headers(headers)

    @field_validator("extra")
    @classmethod
    def _adds_only(cls, extra: Mapping[str, Any]) -> Mapping[str, Any]:
        return more_fields(extra, _WRITTEN)

    @property
    def openai(self) -> bool:
        """Whether the server is OpenAI's own."""
        return self.base_url == _OPENAI

    @property
    def key_name(self) -> str | None:
        """The variable that holds the key, None for no key."""
        return _KEY if self.key_env is None and self.openai else self.key_env

    @property
    def together(self) -> bool | None:
        """Whether several draws are asked for in one request; None to find out."""
        return False if self.n is None and self.seed else self.n

    @cached_property
    def offers(self) -> frozenset[Capability]:
        """What such a model can do."""
        if self.api == "embeddings":
            return frozenset({Capability.EMBEDDINGS, Capability.CANCEL})
        if self.api == "reward":
            return frozenset({Capability.REWARD, Capability.CANCEL})
        chat, forms = self.api == "chat", self.guided == "vllm"
        offers = {
            Capability.DRAWS: self.together is not False,
            Capability.LOGPROBS: self.logprobs,
            Capability.PROMPT_LOGPROBS: self.prompt_logprobs,
            Capability.CONTINUATION: self.continuation or not chat,
            Capability.GUIDED_JSON: self.guided != "none",
            Capability.GUIDED_REGEX: forms,
            Capability.GUIDED_GRAMMAR: forms,
            Capability.GUIDED_CHOICE: forms,
            Capability.STOP: True,
            Capability.SEED: self.seed,
            Capability.CANCEL: True,
            Capability.TOOLS: chat and self.tools,
            Capability.IMAGES: chat and self.images,
            Capability.THINKING: self.thinking is not None,
        }
        return frozenset(what for what, offered in offers.items() if offered)

    @property
    def info(self) -> ModelInfo:
        """What such a model can do, and how much of it."""
        return ModelInfo(
            context=self.context,
            max_tokens=self.max_tokens,
            capabilities=self.offers,
            max_draws=self.max_draws if Capability.DRAWS in self.offers else 1,
            concurrency=256,
        )


def checked(model: str, options: Mapping[str, Json]) -> Options:
    """The options of a model. Raises `BadRequest`, which names the one that is wrong."""
    return settings.checked(Options, f"openai/{model}", options)
