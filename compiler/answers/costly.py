"""Which expressions a computer algebra system could chew on for hours."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_costly"]

_SYMPY_LENGTH: Final = 200
_SYMPY_CALLS: Final = 6
# What can make a computer algebra system run for hours: factorials, sums, numbers and powers of
# many digits. Such answers are compared as text.
_COSTLY = re.compile(r"!|\\(?:d?binom|prod|sum|int|Gamma|lim)(?![a-zA-Z])|\*\*|\d{30,}")
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_EXPONENT = re.compile(r"\^\s*(?:\{|(\d+|\\?\w))")


def is_costly(text: str) -> bool:
    """Whether comparing an expression as mathematics could take long."""
    if len(text) > _SYMPY_LENGTH or _COSTLY.search(text):
        return True
    commands = [c for c in _COMMAND.findall(text) if c not in ("\\frac", "\\pi", "\\cdot")]
    symbolic = any(c.isalpha() for c in _COMMAND.sub(" ", text))
    limit = (12 if re.search(r"[)}\]]\s*\^", text) else 100) if symbolic else 10_000
    power = 1
    for found in _EXPONENT.finditer(text):
        exponent = found[1] or _group(text, found.end())
        if "^" in exponent:
            return True
        for number in re.findall(r"\d+", exponent):
            power *= max(1, int(number))
    return power > limit or len(commands) > _SYMPY_CALLS


def _group(text: str, start: int) -> str:
    """The text up to the brace that closes the group begun before `start`."""
    depth = 1
    for i in range(start, len(text)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return text[start:i]
    return text[start:]
