"""``openai/<model>``: any server that speaks OpenAI's chat or text completions.

That is OpenAI itself, vLLM, SGLang, llama.cpp, Ollama and most others; `Options` says what can be
set. Nothing of this needs the network, or aiohttp, before the first request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from ...compiler.errors import MissingPackage
from ...compiler.values import Json
from ..base import Backend, Capability, ModelInfo
from ..prices import listed
from .options import Options, checked

__all__ = ["BY_OPTION", "OFFERS", "Options", "info", "open_backend"]

OFFERS = frozenset(
    {
        Capability.DRAWS,
        Capability.GUIDED_JSON,
        Capability.STOP,
        Capability.CANCEL,
        Capability.IMAGES,
        Capability.TOOLS,
    }
)
"""Where no option takes it away."""

BY_OPTION: Mapping[Capability, str] = MappingProxyType(
    {
        Capability.LOGPROBS: "options: {logprobs: true}",
        Capability.CONTINUATION: "options: {continuation: true}",
        Capability.SEED: "options: {seed: true}",
        Capability.PROMPT_LOGPROBS: "options: {prompt_logprobs: true}",
        Capability.GUIDED_REGEX: "options: {guided: vllm}",
        Capability.GUIDED_GRAMMAR: "options: {guided: vllm}",
        Capability.GUIDED_CHOICE: "options: {guided: vllm}",
        Capability.THINKING: "options: {thinking: thinking_token_budget}",
        Capability.EMBEDDINGS: "options: {api: embeddings}",
        Capability.REWARD: "options: {api: reward}",
    }
)
"""Where the server has it."""


def info(model: str, options: Mapping[str, Json]) -> ModelInfo:
    """What the options say of the model; for OpenAI's own, litellm's table has the price, where it
    is installed. Raises `BadRequest`."""
    settings = checked(model, options)
    known = listed(f"openai/{model}") if settings.openai else None
    if known is None or known.price is None:
        return replace(settings.info, priced=False)
    return replace(settings.info, price=known.price)


def open_backend(model: str, options: Mapping[str, Json]) -> Backend:
    """A backend that connects with its first request. Raises `BadRequest`, `MissingPackage`."""
    settings = checked(model, options)
    try:
        from .backend import OpenAI
    except ModuleNotFoundError as error:
        raise MissingPackage(
            "openai models need aiohttp: pip install 'polyarch[openai]'"
        ) from error
    return OpenAI(model, settings)
