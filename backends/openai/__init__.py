"""``openai/<model>``: any server that speaks OpenAI's chat or text completions.

That is OpenAI itself, vLLM, SGLang, llama.cpp, Ollama and most others; `Options` says what can be
set. Nothing of this needs the network, or aiohttp, before the first request.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ...compiler.errors import MissingPackage
from ...compiler.values import Json
from ..base import Backend, Capability, ModelInfo
from .options import Options, checked

__all__ = ["BY_OPTION", "OFFERS", "Options", "info", "open_backend"]

OFFERS = frozenset(
    {
        Capability.DRAWS,
        Capability.GUIDED_JSON,
        Capability.STOP,
        Capability.CANCEL,
        Capability.IMAGES,
    }
)
"""Where no option takes it away."""

BY_OPTION: Mapping[Capability, str] = MappingProxyType(
    {
        Capability.LOGPROBS: "options: {logprobs: true}",
        Capability.CONTINUATION: "options: {continuation: true}",
        Capability.SEED: "options: {seed: true}",
    }
)
"""Where the server has it."""


def info(model: str, options: Mapping[str, Json]) -> ModelInfo:
    """What the options say of the model. Raises `BadRequest`."""
    return checked(model, options).info


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
