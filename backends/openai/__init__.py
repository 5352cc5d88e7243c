"""``openai/<model>``: any server that speaks OpenAI's chat or text completions.

That is OpenAI itself, vLLM, SGLang, llama.cpp, Ollama and most others; `Options` says what can be
set. Nothing of this needs the network, or aiohttp, before the first request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...compiler.errors import MissingPackage
from ...compiler.values import Json
from ..base import Backend, ModelInfo
from ..prices import listed
from .options import Options, checked

__all__ = ["Options", "info", "open_backend"]


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
