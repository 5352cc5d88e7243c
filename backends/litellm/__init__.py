"""``litellm/<provider>/<model>``: every provider that litellm knows.

Prices, limits and features come from the table that ships with litellm, read without importing it:
the import takes seconds, and happens when a backend is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from ...compiler.errors import MissingPackage
from ...compiler.values import Json
from ..base import Backend, ModelInfo
from .options import Options, checked

__all__ = ["Options", "info", "open_backend"]


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
