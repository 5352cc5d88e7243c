"""How many rows one matrix product may have, so that a row comes out the same wherever it stands.

BLAS libraries cut the rows of a product into pieces that they sum in different orders, and where
they cut depends on the processor. So it is tried out, which takes less than a millisecond.
"""

from __future__ import annotations

import numpy as np

from .shape import Shape

__all__ = ["widest_tile"]

_TILES = (16, 8, 4, 2)


def widest_tile(shape: Shape) -> int:
    """The most rows, up to 16, of which every one comes out with the same bits."""
    inner = (shape.hidden, shape.inner, shape.head_size)
    return next((tile for tile in _TILES if all(_alike(tile, width) for width in inner)), 1)


def _alike(tile: int, inner: int) -> bool:
    """Whether equal rows have equal products, for every width that a block of columns may have."""
    random = np.random.default_rng(0)
    rows = np.tile(random.standard_normal(inner, dtype=np.float32), (tile, 1))
    for width in (16, 33, 64, 128):
        product = rows @ random.standard_normal((inner, width), dtype=np.float32)
        if not (product == product[0]).all():
            return False
    return True
