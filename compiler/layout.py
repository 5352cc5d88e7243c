"""The orders in which the paragraphs of an operator's own prompt can stand.

A paragraph is static, about the question, or about what is shown, by the variables that it names.
Paragraphs of one kind stay in the order written.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

from .template import Template

__all__ = ["ORDERS", "Kind", "laid_out", "paragraphs"]


class Kind(Enum):
    """What a paragraph is about, the most particular of the variables it names."""

    STATIC = "instructions"
    QUESTION = "question"
    SHOWN = "answers"


ORDERS: Mapping[str, tuple[Kind, ...]] = {
    "question, answers, instructions": (Kind.QUESTION, Kind.SHOWN, Kind.STATIC),
    "question, instructions, answers": (Kind.QUESTION, Kind.STATIC, Kind.SHOWN),
    "instructions, question, answers": (Kind.STATIC, Kind.QUESTION, Kind.SHOWN),
}
"""The orders by name. What is shown follows the question, since it varies more."""

_HEADED = "### Question\n{question}"
_BARE = "{question}"


@lru_cache(maxsize=256)
def paragraphs(
    prompt: str, question: frozenset[str], shown: frozenset[str]
) -> tuple[tuple[Kind, str], ...]:
    """The paragraphs of a prompt with their kinds; `question` and `shown` are the variables that
    stand for each."""
    return tuple((_kind(text, question, shown), text) for text in prompt.split("\n\n"))


@lru_cache(maxsize=1024)
def laid_out(parts: tuple[tuple[Kind, str], ...], order: tuple[Kind, ...]) -> str:
    """The paragraphs in another order.

    A question that opens the prompt loses its heading: it then begins as the question's own chat.
    """
    texts = [text for kind in order for own, text in parts if own is kind]
    if texts and texts[0] == _HEADED:
        texts[0] = _BARE
    return "\n\n".join(texts)


def _kind(text: str, question: frozenset[str], shown: frozenset[str]) -> Kind:
    names = Template(text, question | shown).names
    if names & shown:
        return Kind.SHOWN
    return Kind.QUESTION if names else Kind.STATIC
