"""The settings of the training: change them here, and the one command trains anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of training: until which share of all tokens, on which mix, in what batches."""

    until: float
    batch_tokens: int
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the weights, beside the code."""

    seed: int
    tokens: int
    warmup_steps: int
    matrix_rate: float
    other_rate: float
    stages: tuple[Stage, ...]


RECIPE = Recipe(
    seed=7,
    tokens=20_000_000,
    warmup_steps=100,
    matrix_rate=4e-3,
    other_rate=3e-3,
    stages=(
        Stage(0.1, 2048, {"drill": 5, "solve": 2, "verify": 3}),
        Stage(
            0.35,
            4096,
            {"drill": 1, "solve": 3, "verify": 5, "compare": 0.5, "revise": 0.5, "fuse": 0.5},
        ),
        Stage(
            1.0,
            4096,
            {"drill": 0.5, "solve": 3, "verify": 4, "compare": 1.2, "revise": 0.8, "fuse": 1},
        ),
    ),
)
