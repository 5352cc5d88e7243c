"""LaTeX in which numbers are written, as plain characters."""

from __future__ import annotations

import re

__all__ = ["plain_latex"]

_SPACED_COMMA = re.compile(r"(?<=\d)(?:\{,\}|\\[,!;: ]|[\u2009\u202f])(?=\d{3})")
_SIGNED = r"\s*+([-\u2212]?+\s*+\d++(?:\.\d++)?+)\s*+"
_FRAC = re.compile(rf"\\[dtc]?frac(?:\{{{_SIGNED}\}}\{{{_SIGNED}\}}|\s*+(\d)(\d)(?!\d))")
_TIMES_TEN = re.compile(
    r"(?<=\d)\s?(?:\\times|\\cdot|\u00d7|\*)\s?10(?:\^|\*\*)(?:\{([-\u2212]?\d{1,4})\}|([-\u2212]?\d{1,4}))"
)


def plain_latex(text: str) -> str:
    """The text with LaTeX fractions, powers of ten and digit groups as plain characters."""
    if "\\" in text or "{,}" in text or "\u2009" in text or "\u202f" in text or "10" in text:
        text = _SPACED_COMMA.sub(",", text)
        text = _TIMES_TEN.sub(lambda m: "e" + (m[1] or m[2]).replace("\u2212", "-"), text)
        text = _FRAC.sub(_plain_fraction, text)
    return text


def _plain_fraction(found: re.Match[str]) -> str:
    over, under = (found[1], found[2]) if found[1] is not None else (found[3], found[4])
    top, bottom = ("".join(part.split()).replace("\u2212", "-") for part in (over, under))
    if "." in top + bottom or bottom.startswith("-"):
        return found[0]
    text = found.string
    # The space keeps a digit or letter beside the fraction from becoming part of it.
    left = " " if text[found.start() - 1 : found.start()].isalnum() else ""
    right = " " if text[found.end() : found.end() + 1].isdigit() else ""
    return f"{left}{top}/{bottom}{right}"
