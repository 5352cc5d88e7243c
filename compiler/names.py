"""Suggestions for words that are not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["nearest"]

_LISTED = 12


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that a wrong word most likely meant, as a hint.

    `did you mean "solver"?`, or `known: a, b, c` when none is near, or "" when none is known.
    """
    names = sorted(set(known))
    if not names:
        return ""
    # A word far longer than any name cannot be near one, and difflib is quadratic in length.
    if len(word) <= 2 * max(map(len, names)) + 8:
        folded: dict[str, str] = {}
        for name in names:
            folded.setdefault(name.casefold(), name)
        if near := get_close_matches(word.casefold(), folded, n=1, cutoff=0.6):
            return f'did you mean "{folded[near[0]]}"?'
    listed = ", ".join(names[:_LISTED])
    more = len(names) - _LISTED
    return f"known: {listed} and {more} more" if more > 0 else f"known: {listed}"
