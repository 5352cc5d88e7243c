"""``openai/<model>``: any server that speaks OpenAI's chat or text completions.

That is OpenAI itself, vLLM, SGLang, llama.cpp, Ollama and most others; `Options` says what can be
set. Nothing of this needs the network, or aiohttp, before the first request.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...compiler.errors import MissingPackage
from ...compiler.values import Json
from ..base import Backend, ModelInfo
from .options import Options, checked

__all__ = ["Options", "info", "open_backend"]


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
