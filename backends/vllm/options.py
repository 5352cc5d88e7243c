"""What may be written under `options:` of a vllm model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ...compiler.errors import BadRequest
from ...compiler.model import Capability, ModelInfo
from ...compiler.names import nearest
from ...compiler.values import Json
from .files import context_of

__all__ = ["GENERATES", "Options", "checked"]

_WRITTEN = frozenset(
    {
        *("dtype", "enable_lora", "enable_prefix_caching", "enforce_eager", "convert"),
        *("gpu_memory_utilization", "max_lora_rank", "max_loras", "max_model_len", "model"),
        *("quantization", "revision", "runner", "speculative_config", "tensor_parallel_size"),
        *("tokenizer", "trust_remote_code"),
    }
)
"""Arguments of the engine that have an option of their own, or follow from some."""

_UNKNOWN_CONTEXT = 32_768

_Whole = Annotated[int, Field(ge=1)]
_Rank = Literal[1, 8, 16, 32, 64, 128, 256, 320, 512]


class Options(BaseModel):
    """Which model vLLM loads, how, and how it is asked.

    Models of one pipeline that differ in `adapter`, `chat_template`, `chat_template_kwargs`, `seed`
    or in the bounds of a plan alone share one engine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: str = ""
    """A folder with the model, instead of its name on the hub."""
    task: Literal["generate", "reward", "embedding"] = "generate"
    """What the engine is started for; it can do one of these."""
    dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] = "auto"
    """The type of weights and activations."""
    quantization: str | None = None
    """How the weights are quantized, where the model's own files do not say."""
    max_model_len: _Whole | None = None
    """The longest prompt and completion together, in tokens. Left out, the model's own."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share of the device's memory for this engine: weights, activations and cache. Left out,
    vLLM's default, nearly all of it; several engines on one device must share."""
    tensor_parallel_size: _Whole = 1
    """How many devices share each layer."""
    enable_prefix_caching: bool = True
    """Whether prompts reuse what equal beginnings left behind."""
    enforce_eager: bool = False
    """Start sooner and run slower: nothing is compiled or captured."""
    speculative: Mapping[str, Any] = Field(default_factory=dict)
    """vLLM's `speculative_config`: who proposes tokens, and how many."""
    loras: Mapping[str, str] = Field(default_factory=dict)
    """LoRA adapters by name: the folder of each."""
    max_lora_rank: _Rank = 16
    """The highest rank among them."""
    adapter: str = ""
    """Which of `loras` this model answers with; none for the model itself."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""
    tokenizer: str | None = None
    """Another tokenizer than the model's own: name or folder."""
    trust_remote_code: bool = False
    """Whether code that comes with a model is run."""
    chat_template: str | None = None
    """A Jinja template, or a file with one, instead of the tokenizer's."""
    chat_template_kwargs: Mapping[str, Any] = Field(default_factory=dict)
    """Variables for the template, such as `enable_thinking: false`."""
    seed: bool = False
    """Whether each draw is sampled with its own seed. It is then a request of its own to the
    engine; equal seeds give equal draws on one machine as long as batches do not change the last
    bits, which vLLM does not promise. Off, the engine samples from one stream, and a run does not
    repeat."""
    max_tokens: _Whole = 1024
    """The bound on a completion where a pipeline names none."""
    max_draws: _Whole = 256
    """Most draws in one request."""
    engine: Mapping[str, Any] = Field(default_factory=dict)
    """Any other field of vLLM's `AsyncEngineArgs`, under its own name."""

    @field_validator("engine")
    @classmethod
    def _adds_only(cls, engine: Mapping[str, Any]) -> Mapping[str, Any]:
        if taken := sorted(_WRITTEN & engine.keys()):
            raise ValueError(f"{taken[0]} is written by polyarch: see the options of that name")
        return engine

    @model_validator(mode="after")
    def _has_the_adapter(self) -> Self:
        if self.adapter and self.adapter not in self.loras:
            hint = nearest(self.adapter, self.loras)
            raise ValueError(f"no adapter {self.adapter!r} in loras; {hint or 'it is empty'}")
        if self.loras and self.task != "generate":
            raise ValueError("adapters are for task generate")
        return self

    def info(self, model: str) -> ModelInfo:
        """What such a model can do. Reads its `config.json` if that is on this machine."""
        found = context_of(self.path or model, self.revision)
        context = self.max_model_len or found or _UNKNOWN_CONTEXT
        return ModelInfo(
            context=context,
            max_tokens=self.max_tokens,
            capabilities=self.offers,
            max_draws=self.max_draws if self.task == "generate" else 1,
            concurrency=256,
        )

    @property
    def offers(self) -> frozenset[Capability]:
        """What the engine can do besides answering."""
        match self.task:
            case "reward":
                return frozenset({Capability.REWARD, Capability.CANCEL})
            case "embedding":
                return frozenset({Capability.EMBEDDINGS, Capability.CANCEL})
        extra = {Capability.SEED: self.seed, Capability.LORA: bool(self.loras)}
        return GENERATES | {what for what, offered in extra.items() if offered}


GENERATES = frozenset(
    {
        Capability.DRAWS,
        Capability.LOGPROBS,
        Capability.PROMPT_LOGPROBS,
        Capability.CONTINUATION,
        Capability.GUIDED_JSON,
        Capability.GUIDED_REGEX,
        Capability.GUIDED_GRAMMAR,
        Capability.GUIDED_CHOICE,
        Capability.STOP,
        Capability.CANCEL,
    }
)
"""What an engine that generates offers in any case."""


def checked(model: str, options: Mapping[str, Json]) -> Options:
    """The options of a model. Raises `BadRequest`, which names the one that is wrong."""
    try:
        found = Options.model_validate(dict(options))
    except ValidationError as error:
        raise _refused(model, error) from None
    named = found.chat_template
    if named is not None and "{" not in named and not Path(named).expanduser().is_file():
        raise BadRequest(f"option chat_template of vllm/{model}: no file {named!r}")
    if found.path and not Path(found.path).expanduser().is_dir():
        raise BadRequest(f"option path of vllm/{model}: no folder {found.path!r}")
    return found


def _refused(model: str, error: ValidationError) -> BadRequest:
    problem = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        hint = nearest(name, Options.model_fields)
        return BadRequest(f"vllm/{model} has no option {name!r}; {hint}")
    told = problem["msg"].removeprefix("Value error, ")
    return BadRequest(f"option {name or 'adapter'} of vllm/{model}: {told}")
