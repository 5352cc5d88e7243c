"""Questions in two halves: what is chosen on one is told of the other."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

__all__ = ["halves"]


def halves(items: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of the questions in two halves, by a hash of their ids that is not the split's."""
    hashed = [sha256(f"half:{item}".encode()).digest() for item in items]
    order = np.array(sorted(range(len(items)), key=lambda place: hashed[place]), dtype=np.int64)
    middle = len(items) // 2
    return np.sort(order[:middle]), np.sort(order[middle:])
