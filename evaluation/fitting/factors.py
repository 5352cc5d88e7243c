"""Vectors of models and questions, from which questions which models get right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...ops._features import LENGTHS, features

if TYPE_CHECKING:
    import numpy as np

    Array = np.typing.NDArray[np.float64]

__all__ = ["Factors", "additive", "factorised", "matrix", "projection"]

_ROUNDS = 30


@dataclass(frozen=True, slots=True)
class Factors:
    """The chance that a model (column) gets a question (row) right: `mean`, what the row and the
    column add, and the product of their vectors."""

    mean: float
    rows: Array
    columns: Array
    left: Array
    right: Array

    @property
    def expected(self) -> Array:
        """The chances, one for each cell, not kept within 0 and 1."""
        told: Array = self.mean + self.rows[:, None] + self.columns + self.left @ self.right.T
        return told


def additive(right: Array, known: Array, held_back: float = 1.0) -> Factors:
    """What rows and columns add by themselves: the mean of each, drawn to the mean of all by
    `held_back` cells. `known` is 1 where a cell is known, else 0."""
    import numpy as np

    mean = float((right * known).sum() / known.sum())
    rows: Array = np.zeros(len(right))
    columns: Array = np.zeros(right.shape[1])
    for _ in range(_ROUNDS):
        rows = _drawn(right - mean - columns, known, held_back)
        columns = _drawn((right - mean - rows[:, None]).T, known.T, held_back)
    return Factors(mean, rows, columns, np.zeros((len(right), 1)), np.zeros((right.shape[1], 1)))


def factorised(
    right: Array, known: Array, rank: int, held_back: float = 5.0, seed: int = 0
) -> Factors:
    """A matrix of right (1) and wrong (0) as what rows and columns add, and a product of rank
    `rank`: alternating least squares over the cells that are known, vectors held back.

    After EmbedLLM (Zhuang et al., 2024), with a sum of squares in place of its network.
    """
    import numpy as np

    plain = additive(right, known)
    rest = (right - plain.expected) * known
    dice = np.random.default_rng(seed)
    ours: Array = 0.1 * dice.standard_normal((right.shape[1], rank))
    rows: Array = np.zeros((len(right), rank))
    for _ in range(_ROUNDS):
        rows = _solved(rest, known, ours, held_back)
        ours = _solved(rest.T, known.T, rows, held_back)
    return Factors(plain.mean, plain.rows, plain.columns, rows, ours)


def projection(texts: Sequence[str], wanted: Array, buckets: int, held_back: float) -> Array:
    """How vectors follow from the words of a question: ridge regression of `wanted`, a row a text,
    on the features of texts, with a 1 behind them."""
    import numpy as np

    seen = matrix(texts, buckets)
    square = seen.T @ seen + held_back * np.eye(seen.shape[1])
    return np.asarray(np.linalg.solve(square, seen.T @ wanted), dtype=np.float64)


def matrix(texts: Sequence[str], buckets: int) -> Array:
    """The features of texts, a row each, with a 1 behind them."""
    import numpy as np

    seen = np.zeros((len(texts), LENGTHS + buckets + 1))
    seen[:, -1] = 1.0
    for row, text in enumerate(texts):
        for column, value in features(text, buckets).items():
            seen[row, column] = value
    return seen


def _drawn(rest: Array, known: Array, held_back: float) -> Array:
    """The mean of each row over the cells that are known, drawn to 0."""
    told: Array = (rest * known).sum(axis=1) / (known.sum(axis=1) + held_back)
    return told


def _solved(rest: Array, known: Array, others: Array, held_back: float) -> Array:
    """The vector of each row that explains best what is left of it, by the others' vectors."""
    import numpy as np

    rank = others.shape[1]
    squares = np.einsum("ij,jk,jl->ikl", known, others, others) + held_back * np.eye(rank)
    solved: Array = np.linalg.solve(squares, ((rest * known) @ others)[:, :, None])[:, :, 0]
    return solved
