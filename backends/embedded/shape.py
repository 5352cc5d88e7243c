"""The sizes of the model."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Shape"]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a Llama-style decoder with tied embeddings."""

    vocabulary: int = 448
    hidden: int = 256
    inner: int = 704
    layers: int = 4
    heads: int = 8
    kv_heads: int = 4
    head_size: int = 32
    context: int = 512
    """Most tokens of a prompt and its reply together."""
    rope_base: float = 10000.0
    norm_epsilon: float = 1e-5
