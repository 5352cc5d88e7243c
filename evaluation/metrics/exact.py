"""Equality as text."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...compiler.answers import Answer
from ..data.item import Item
from .score import Score

__all__ = ["Exact", "references"]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Exact:
    """1 for an answer equal to the reference, or to one of several (a JSON list of texts).

    White space is collapsed. With `fold`, upper and lower case are the same. With `loose`,
    punctuation and articles do not count either, as in SQuAD (Rajpurkar et al., 2016).
    """

    name: ClassVar[str] = "exact"

    fold: bool = False
    loose: bool = False

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """Whether the answer equals a reference."""
        if answer is None:
            return Score(0.0, parsed=False)
        said = self._plain(answer.text)
        return Score(float(any(said == self._plain(one) for one in references(item.reference))))

    def _plain(self, text: str) -> str:
        if self.fold or self.loose:
            text = text.casefold()
        if self.loose:
            text = _ARTICLES.sub(" ", text.translate(_NO_PUNCTUATION))
        return " ".join(text.split())


def references(text: str) -> Sequence[str]:
    """The references in a text: the texts of a JSON list, else the text itself."""
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except ValueError:
            return (text,)
        if isinstance(listed, list) and listed and all(isinstance(one, str) for one in listed):
            return listed
    return (text,)
