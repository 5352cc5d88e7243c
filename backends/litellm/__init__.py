"""``litellm/<provider>/<model>``: every provider that litellm knows.

Prices, limits and features come from the table that ships with litellm, read without importing it:
the import takes seconds, and happens when a backend is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

from ...compiler.errors import MissingPackage
from ...compiler.values import Json
from ..base import Backend, Capability, ModelInfo
from .options import Options, checked

__all__ = ["BY_OPTION", "OFFERS", "Options", "info", "open_backend"]

OFFERS = frozenset({Capability.CANCEL, Capability.STOP})
"""Whatever the model."""

_TOLD = "where litellm's table says so, or options: {{{}: true}}"

BY_OPTION: Mapping[Capability, str] = MappingProxyType(
    {
        Capability.CONTINUATION: _TOLD.format("continuation"),
        Capability.DRAWS: "options: {n: true}",
        Capability.EMBEDDINGS: _TOLD.format("embeddings"),
        Capability.GUIDED_JSON: _TOLD.format("guided"),
        Capability.IMAGES: _TOLD.format("images"),
        Capability.LOGPROBS: "options: {logprobs: true}",
        Capability.SEED: "options: {seed: true}",
        Capability.THINKING: _TOLD.format("thinking"),
        Capability.TOOLS: _TOLD.format("tools"),
    }
)
"""Where the model has it."""


def info(model: str, options: Mapping[str, Json]) -> ModelInfo:
    """What table and options say of the model. Raises `BadRequest`, `NoSuchModel`,
    `MissingPackage`."""
    if find_spec("litellm") is None:
        raise MissingPackage("litellm models need litellm: pip install 'polyarch[litellm]'")
    return checked(model, options).info(model)


def open_backend(model: str, options: Mapping[str, Json]) -> Backend:
    """A backend that connects with its first request. Raises as `info` does, and `NoSuchModel` or
    `BadRequest` for what litellm itself says that it cannot do."""
    offered = info(model, options)
    from .backend import LiteLLM

    return LiteLLM(model, checked(model, options), offered)
