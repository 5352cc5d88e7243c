"""Embeddings of candidates' texts, and how near they are to each other."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TypeAlias

from ..compiler.op import Asking, Context, Reply, Wishes
from ..compiler.values import Candidate, Message, Purpose, Usage

__all__ = ["Vector", "embedded", "embedding", "similarities"]

Vector: TypeAlias = "tuple[float, ...]"


async def embedding(
    asking: Asking, ctx: Context, candidate: Candidate, index: int
) -> tuple[Vector | None, Usage]:
    """The embedding of a candidate's text, None where there is none that is finite and not zero,
    which is counted as unreadable; and what it cost. A blank text is not asked about."""
    if not candidate.text.strip():
        return None, Usage()
    reply = await embedded(asking, ctx, candidate.text, index)
    values = reply.values
    if not any(values) or not all(isfinite(value) for value in values):
        ctx.count_unreadable(reply, f"it holds no embedding of {candidate.origin.key}")
        return None, reply.usage
    return values, reply.usage


async def embedded(asking: Asking, ctx: Context, text: str, index: int = 0) -> Reply:
    """What a model gives for the embedding of a text; its `values` are that."""
    purpose = Purpose("embed", ctx.question.text, (text,))
    messages, draws = (Message("user", text),), range(index, index + 1)
    (reply,) = await ctx.sample(asking, messages, purpose, draws, Wishes(wants="embedding"))
    return reply


def similarities(vectors: Sequence[Vector | None]) -> list[list[float | None]]:
    """The cosine of every two, None where one of them is missing or they do not compare.

    >>> similarities([(1.0, 0.0), (0.0, 2.0)])
    [[1.0, 0.0], [0.0, 1.0]]
    """
    import numpy as np

    near: list[list[float | None]] = [[None] * len(vectors) for _ in vectors]
    for size in sorted({len(vector) for vector in vectors if vector is not None}):
        places = [i for i, v in enumerate(vectors) if v is not None and len(v) == size]
        rows = np.array([vectors[i] for i in places])
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cosines = np.clip(units @ units.T, -1.0, 1.0).tolist()
        for row, i in enumerate(places):
            for column, j in enumerate(places):
                near[i][j] = cosines[row][column]
    return near
