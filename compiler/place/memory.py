"""What an engine needs of the memory of each of its GPUs, and over how many it can be spread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from .assumed import BATCHED, ENGINE, RESIDUE
from .engine import Engine
from .gpu import GB, Gpu
from .shape import BYTES, Shape

__all__ = ["Need", "need", "residue", "sizes", "thousandths"]

_LOGITS = 8
"""Bytes of a logit while it is sampled from: two copies in fp32."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes on each GPU of an engine, by what they hold."""

    weights: float
    cache: float
    activations: float
    engine: float = ENGINE

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.cache + self.activations + self.engine


def need(engine: Engine, parallel: int, draws: int) -> Need:
    """The memory of an engine over so many GPUs, with so many draws under way at their longest.

    A latent cache is the same for all heads, so each GPU holds all of it.
    """
    shape = engine.shape
    cache = draws * shape.cache(engine.longest)
    return Need(
        weights=shape.weights / parallel,
        cache=cache if shape.latent else cache / parallel,
        activations=_activations(shape, parallel, draws),
    )


def sizes(engine: Engine, gpus: int) -> Iterator[int]:
    """Over how many GPUs the model can be spread, largest first: powers of two that divide its
    heads, those of its cache, and its feed-forward networks; or the size that its options give."""
    given = engine.spec.options.get("tensor_parallel_size")
    if isinstance(given, int):
        yield from [given] if given <= gpus else []
        return
    size = 1 << (gpus.bit_length() - 1)
    while size:
        if _divides(engine.shape, size):
            yield size
        size //= 2


def thousandths(needed: float, gpu: Gpu) -> int:
    """Bytes as thousandths of a GPU's memory, rounded up."""
    return ceil(1000 * needed / (gpu.memory * GB))


def residue(gpu: Gpu) -> int:
    """What a sleeping engine keeps, in thousandths of the GPU's memory."""
    return thousandths(RESIDUE, gpu)


def _divides(shape: Shape, size: int) -> bool:
    split = [shape.heads, shape.intermediate]
    split += [] if shape.latent else [shape.kv_heads]
    split += [shape.experts.intermediate, shape.experts.shared] if shape.experts else []
    return all(number % size == 0 for number in split)


def _activations(shape: Shape, parallel: int, draws: int) -> float:
    e = shape.experts
    wide = max(shape.intermediate, e.active * e.intermediate + e.shared if e else 0)
    token = 3 * shape.hidden + 2 * wide / parallel
    return BATCHED * token * BYTES[shape.dtype] + draws * shape.vocab * _LOGITS
