"""Shapes of well-known open models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict

from .shape import Quantization, Shape

__all__ = ["known_models", "known_shape", "published"]

_ENDINGS: Mapping[str, Quantization] = {
    "-FP8": "fp8",
    "-AWQ": "int4",
    "-GPTQ-Int4": "int4",
    "-GPTQ-Int8": "int8",
}
"""How names of quantized models end."""


@cache
def known_models() -> Mapping[str, Shape]:
    """The shapes of `models.yaml`, by every name they are known by."""
    shapes = {}
    for name, entry in _entries().items():
        shapes.update(dict.fromkeys((name, *entry.also), entry.shape))
    return shapes


@cache
def published() -> Mapping[str, float]:
    """The published number of parameters, in billions, by name."""
    return {name: entry.billions for name, entry in _entries().items()}


def known_shape(name: str) -> Shape | None:
    """The shape of a model of this name, quantized as its ending says; None if it is not known."""
    if name in known_models():
        return known_models()[name]
    for ending, quantization in _ENDINGS.items():
        base = known_models().get(name.removesuffix(ending)) if name.endswith(ending) else None
        if base is not None and base.quantization is None:
            return base.model_copy(update={"quantization": quantization})
    return None


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    billions: float
    shape: Shape
    also: tuple[str, ...] = ()


@cache
def _entries() -> Mapping[str, _Entry]:
    text = files(__package__).joinpath("models.yaml").read_text(encoding="utf-8")
    plain = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {name: _Entry.model_validate(entry) for name, entry in plain.items()}
