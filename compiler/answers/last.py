"""The last of what was found; the end of a text is where its answer stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, TypeVar

__all__ = ["TAIL", "last"]

_T = TypeVar("_T")

TAIL: Final = 20_000
"""How many characters the end of a long text is."""


def last(items: Iterable[_T]) -> _T | None:
    """The last item, None if there is none."""
    kept = deque(items, maxlen=1)
    return kept[0] if kept else None
