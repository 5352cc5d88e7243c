"""Where the models of other systems are asked here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..backends.settings import address

__all__ = ["PROVIDERS", "Endpoint", "endpoint"]

PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "anthropic": "anthropic",
        "azure": "azure",
        "bedrock": "bedrock",
        "cerebras": "cerebras",
        "cohere": "cohere",
        "deepinfra": "deepinfra",
        "deepseek": "deepseek",
        "fireworks": "fireworks_ai",
        "gemini": "gemini",
        "google": "gemini",
        "groq": "groq",
        "huggingface": "huggingface",
        "mistral": "mistral",
        "nvidia": "nvidia_nim",
        "ollama": "ollama",
        "openrouter": "openrouter",
        "perplexity": "perplexity",
        "replicate": "replicate",
        "sambanova": "sambanova",
        "together": "together_ai",
        "vertex": "vertex_ai",
        "xai": "xai",
    }
)
"""litellm's names of providers, by those that others give them."""

_LOCAL = frozenset({"vllm", "local", "sglang", "llamacpp", "lmstudio"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model as a pipeline file names it, with what its reader should know."""

    model: str
    options: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def endpoint(kind: str, name: str, base_url: str | None = None) -> Endpoint:
    """The model of an Archon `model_type`, such as `Together_API`.

    Raises `ValueError` for an address that is none.
    """
    word = re.sub(r"[^a-z0-9]", "", re.sub(r"_?api$", "", kind.lower()))
    if word == "tgi":
        return Endpoint("openai/tgi", {"base_url": address(name)})
    if base_url is not None and (word == "openai" or word in _LOCAL):
        return Endpoint(f"openai/{name}", {"base_url": address(base_url)})
    if word == "openai":
        return Endpoint(f"openai/{name}")
    if word in _LOCAL:
        return Endpoint(f"vllm/{name}", note="" if word == "vllm" else _IN_PROCESS.format(kind))
    options = {} if base_url is None else {"api_base": address(base_url)}
    if (provider := PROVIDERS.get(word)) is not None:
        prefixed = name if name.startswith(f"{provider}/") else f"{provider}/{name}"
        return Endpoint(f"litellm/{prefixed}", options)
    provider = word or "openai"
    return Endpoint(f"litellm/{provider}/{name}", options, _UNKNOWN.format(kind, provider))


_IN_PROCESS = (
    "model_type {0!r} names no server, so vLLM runs the model in this process; for a server, write "
    "openai/NAME with options: {{base_url: …}}"
)
_UNKNOWN = (
    "model_type {0!r} is none of Archon's own, so it is taken for litellm's provider {1!r}; write "
    "the right one, or openai/NAME with options: {{base_url: …}}"
)
