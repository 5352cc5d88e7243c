"""Equality as mathematics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...compiler.answers import Answer, Boxed
from ..data.item import Item
from .score import Score

__all__ = ["Maths"]


@dataclass(frozen=True, slots=True)
class Maths:
    r"""1 for an answer equal to the reference as mathematics, by math-verify: `0.5` is `\frac12`.

    The answer is what stands in its last `\boxed{…}`, or all of it. Raises `MissingPackage` where
    math-verify is not installed.
    """

    name: ClassVar[str] = "maths"

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """Whether the two are equal as text, or as mathematics."""
        kind = Boxed()
        wanted = _latex(kind, item.reference)
        said = None if answer is None else _latex(kind, answer.text)
        if said is None or wanted is None:
            return Score(0.0, parsed=False)
        return Score(float(kind.same(said, wanted)))


def _latex(kind: Boxed, text: str) -> Answer | None:
    return kind.read(text) if "\\boxed" in text else kind.read(f"\\boxed{{{text}}}")
