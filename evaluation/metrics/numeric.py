"""Equality as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, ClassVar

from pydantic import Field

from ...compiler.answers import Answer, Number
from ...compiler.errors import InputError
from ..data.item import Item
from .score import Score

__all__ = ["Numeric"]

_NUMBER = Number()


@dataclass(frozen=True, slots=True)
class Numeric:
    """1 for an answer whose number is that of the reference, compared as exact fractions.

    The number is read as the answer kind `number` reads it: currency, units, thousands separators
    and LaTeX are understood. `tolerance` is the share of the reference by which it may be off.
    """

    name: ClassVar[str] = "numeric"

    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.0

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """Whether the numbers are equal, or near enough."""
        wanted = _number(item.reference)
        if wanted is None:
            raise InputError(f"item {item.id!r}: no number in the reference {item.reference!r}")
        said = None if answer is None else _number(answer.text)
        if said is None:
            return Score(0.0, parsed=False)
        off = abs(said - wanted)
        return Score(float(off == 0 or off <= Fraction(self.tolerance) * abs(wanted)))


@lru_cache(maxsize=65_536)
def _number(text: str) -> Fraction | None:
    found = _NUMBER.read(text)
    return None if found is None else Fraction(found.text)
