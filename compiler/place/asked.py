"""What `shape:` of a model says: its architecture written out, or that of another, or changes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from .shape import Dtype, Experts, KvDtype, Latent, Quantization

__all__ = ["ShapeSpec", "as_shape"]

ELSEWHERE = "elsewhere"


class ShapeSpec(BaseModel):
    """The shape of a model for planning GPUs. Whatever is left out comes from `like`, a known
    model or a folder with a `config.json`; without `like`, from the model's own name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    like: str | None = None
    """A known model, or a folder with a `config.json`; `elsewhere` for a model that others
    serve, which needs no GPU of yours."""
    layers: Annotated[int, Field(ge=1)] | None = None
    hidden: Annotated[int, Field(ge=1)] | None = None
    heads: Annotated[int, Field(ge=1)] | None = None
    kv_heads: Annotated[int, Field(ge=1)] | None = None
    head: Annotated[int, Field(ge=1)] | None = None
    intermediate: Annotated[int, Field(ge=0)] | None = None
    vocab: Annotated[int, Field(ge=1)] | None = None
    tied: bool | None = None
    gated: bool | None = None
    experts: Experts | None = None
    latent: Latent | None = None
    window: Annotated[int, Field(ge=0)] | None = None
    windowed: Annotated[int, Field(ge=0)] | None = None
    other: Annotated[int, Field(ge=0)] | None = None
    context: Annotated[int, Field(ge=1)] | None = None
    dtype: Dtype | None = None
    quantization: Quantization | None = None
    kv_dtype: KvDtype | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether others serve the model."""
        return self.like == ELSEWHERE


def as_shape(value: object) -> object:
    """A name or folder written alone, as `like`."""
    return {"like": value} if isinstance(value, str) else value
