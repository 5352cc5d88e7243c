"""The likeliest tokens of a place, in order."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["likeliest"]


def likeliest(told: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Tokens and their log probabilities, the likeliest first: some servers begin with the token
    that was drawn."""
    return tuple(sorted(told, key=lambda one: -one[1]))
