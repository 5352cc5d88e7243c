"""Seeds from names and indices, never from the schedule."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["derive"]


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed that depends on the run's seed and the names alone."""
    text = "\x1f".join(map(str, (seed, *names)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
