"""What a router sees of a question: its words, hashed, and how long it is."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from math import log1p, sqrt
from zlib import crc32

__all__ = ["LENGTHS", "features"]

_WORD = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*|[$%€£=+*/]")
_SENTENCE = re.compile(r"[.!?]+(?:\s|$)")

LENGTHS = 8
"""The features before the hashed ones."""


def features(text: str, buckets: int) -> dict[int, float]:
    """The features of a text that are not 0: lengths first, then pairs and single words by hash.

    Numbers are all one word: that there are five matters, not which. Hashed ones have length 1
    together.
    """
    words = ["#" if word[0].isdigit() else word.lower() for word in _WORD.findall(text)]
    counts = Counter(words)
    lengths = (
        log1p(len(text)) - 5.0,
        log1p(len(words)) - 3.5,
        log1p(counts["#"]) - 1.5,
        log1p(len(_SENTENCE.findall(text))) - 1.3,
        log1p(counts["if"]),
        log1p(counts["%"] + counts["percent"]),
        log1p(text.count("/")),
        sum(map(len, words)) / max(1, len(words)) - 4.0,
    )
    hashed: Counter[int] = Counter()
    for gram in (*words, *(f"{a} {b}" for a, b in pairwise(words))):
        hashed[LENGTHS + crc32(gram.encode()) % buckets] += 1
    norm = sqrt(sum(count * count for count in hashed.values())) or 1.0
    found = {place: value for place, value in enumerate(lengths) if value}
    return found | {place: count / norm for place, count in hashed.items()}
