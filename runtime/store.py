"""A file of replies that need not be asked for."""

from __future__ import annotations

from dataclasses import dataclass

from .cache import Cache

__all__ = ["Store"]


@dataclass(frozen=True, slots=True)
class Store:
    """A cache in the hands of a run; `paid` if this batch itself paid for what is in it, as for its
    journal."""

    cache: Cache
    paid: bool = False
