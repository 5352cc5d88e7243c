"""How much is read: what no file can exceed."""

from __future__ import annotations

from typing import Final

__all__ = ["ALIASES", "BYTES", "DEPTH", "DIGITS", "FAULTS", "NODES"]

BYTES: Final = 1 << 20
"""The size of a file; of a text, in characters."""

DEPTH: Final = 64
"""How deep values are nested."""

NODES: Final = 200_000
"""Values and keys, aliases counted in full."""

ALIASES: Final = 100
"""Aliases in a file."""

DIGITS: Final = 400
"""Characters of a number."""

FAULTS: Final = 50
"""Faults after which reading stops."""
