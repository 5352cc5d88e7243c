"""The tokenizer: one token a story word, one a character, bytes for everything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

from tokenizers import Tokenizer

__all__ = ["Mark", "StoryTokenizer"]


class Mark(StrEnum):
    """Special tokens: what a prompt asks for, and where its parts begin."""

    PAD = "<pad>"
    END = "<end>"
    SUM = "<sum>"
    SOLVE = "<solve>"
    CHECK = "<check>"
    COMPARE = "<compare>"
    REVISE = "<revise>"
    FUSE = "<fuse>"
    GIVEN = "<given>"
    NOTE = "<note>"
    REPLY = "<reply>"


class StoryTokenizer:
    """Text to token ids and back; ids of marks only ever come from marks, never from text."""

    def __init__(self, file: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.encode_special_tokens = True
        self._marks = {mark: self._id(mark) for mark in Mark}
        by_id = sorted((i, piece) for piece, i in self._tokenizer.get_vocab().items())
        self._bytes = tuple(_piece_bytes(piece) for _, piece in by_id)

    def _id(self, piece: str) -> int:
        found = self._tokenizer.token_to_id(piece)
        if found is None:
            raise ValueError(f"the tokenizer has no token {piece!r}")
        return found

    @property
    def size(self) -> int:
        """How many token ids there are."""
        return len(self._bytes)

    def mark(self, mark: Mark) -> int:
        """The id of a special token."""
        return self._marks[mark]

    def encode(self, text: str) -> list[int]:
        """Encode plain text; marks written out in it are ordinary characters."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def encode_parts(self, parts: Iterable[Mark | str]) -> list[int]:
        """Encode marks as their ids and everything else as plain text."""
        ids: list[int] = []
        for part in parts:
            if isinstance(part, Mark):
                ids.append(self._marks[part])
            else:
                ids.extend(self.encode(part))
        return ids

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token stands for; a mark stands for none."""
        return self._bytes[token]

    def decode(self, tokens: Sequence[int]) -> str:
        """Decode tokens; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self._bytes[token] for token in tokens).decode("utf-8", "replace")


def _piece_bytes(piece: str) -> bytes:
    if piece in set(Mark):
        return b""
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.encode()
