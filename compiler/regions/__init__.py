"""Regions: steps that hold steps of their own, and say whether, how often and for what they run."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .base import Region, Written
from .cascade import Cascade
from .loop import Loop
from .map import Map
from .route import Route

__all__ = ["REGIONS", "Region", "Written"]

REGIONS: Mapping[str, type[Region]] = MappingProxyType(
    {"cascade": Cascade, "loop": Loop, "map": Map, "route": Route}
)
"""By the name that a step's `op:` gives."""
