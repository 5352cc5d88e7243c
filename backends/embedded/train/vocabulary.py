"""Build the tokenizer file from the words of the stories."""

from __future__ import annotations

import string
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models

from ..problems import CONTAINERS, NAMES, OBJECTS
from ..tokenizer import Mark

_WORDS = (
    "has",
    "have",
    "finds",
    "buys",
    "gets",
    "gives",
    "away",
    "loses",
    "sells",
    "more",
    "fewer",
    "than",
    "twice",
    "as",
    "many",
    "times",
    "half",
    "That",
    "is",
    "each",
    "of",
    "to",
    "friends",
    "shares",
    "them",
    "equally",
    "among",
    "does",
    "do",
    "get",
    "together",
    "and",
    "How",
    "other",
    "left",
    "now",
    "a",
    "an",
    "the",
    "with",
    "in",
    "ok",
    "wrong",
    "right",
)
_PHRASES = (
    " is wrong, it should be ",
    "all steps right",
    "answer: ",
    "better ",
    "first",
    "second",
    "tie",
    "wrong",
    "right",
)


def build(file: Path) -> None:
    """Write ``tokenizer.json``: bytes, characters, words, then the marks."""
    pieces = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces += sorted({*string.printable[:95], "\n"})
    words = [*NAMES, *OBJECTS, *CONTAINERS, *_WORDS]
    pieces += list(dict.fromkeys([*(f" {word}" for word in words), *_PHRASES]))
    vocabulary = [(piece, -1.0 if len(piece) < 6 or piece[0] != "<" else -20.0) for piece in pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, 0, byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(str(mark), special=True) for mark in Mark])
    tokenizer.save(str(file))
