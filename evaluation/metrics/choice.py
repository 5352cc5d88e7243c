"""The same option of a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_uppercase
from typing import ClassVar

from ...compiler.answers import Answer
from ...compiler.answers import Choice as Options
from ...compiler.errors import InputError
from ..data.item import Item
from .score import Score

__all__ = ["Choice"]

_LONG = 60
"""Options longer than this are told by their letters."""


@dataclass(frozen=True, slots=True)
class Choice:
    """1 for an answer that names the option of the reference, by its words or its letter.

    Options are the item's `choices`, A, B, … in their order; without any, the letters A to J.
    """

    name: ClassVar[str] = "choice"

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """Whether the answer names the option that the reference names."""
        wanted = _place(item.reference, item.choices)
        if wanted is None:
            raise InputError(f"item {item.id!r}: {item.reference!r} is none of its choices")
        said = None if answer is None else _place(answer.text, item.choices)
        return Score(float(said == wanted), parsed=said is not None)


def _place(text: str, choices: Sequence[str]) -> int | None:
    """Which option a text names; None where it names none, or several."""
    words = [_folded(choice) for choice in choices]
    if words.count(_folded(text)) == 1:
        return words.index(_folded(text))
    letters = ascii_uppercase[: len(choices) or 10]
    if len(letters) < 2:
        raise InputError("a choice is one of two options or more")
    found = _kind(tuple(letters)).read(text)
    if found is not None:
        return letters.index(found.text)
    if len(set(words)) < max(2, len(words)) or max(map(len, words)) > _LONG or "" in words:
        return None
    named = _kind(tuple(choices)).read(text)
    return None if named is None else list(choices).index(named.text)


@lru_cache(maxsize=1024)
def _kind(options: tuple[str, ...]) -> Options:
    return Options(options)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
