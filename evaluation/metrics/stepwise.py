"""How far a procedure was followed before the first wrong step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import ClassVar, Literal

from ...compiler.answers import Answer
from ...compiler.errors import InputError
from ..data.item import Item
from .score import Score

__all__ = ["Stepwise"]


@dataclass(frozen=True, slots=True)
class Stepwise:
    """The longest right prefix of steps, as a share of the longer of answer and reference.

    Both are JSON lists, or steps one a line. `of: all` gives 1 only for all steps right and none
    too many, `of: last` for a right last step. ProcBench (Fujisawa et al., 2024).
    """

    name: ClassVar[str] = "stepwise"

    of: Literal["prefix", "all", "last"] = "prefix"

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """The score, with the length of the prefix and of the reference as detail."""
        wanted = _steps(item.reference)
        if not wanted:
            raise InputError(f"item {item.id!r}: no steps in the reference")
        said = [] if answer is None else _steps(answer.text)
        pairs = zip(said, wanted, strict=False)
        prefix = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        share = prefix / max(len(said), len(wanted))
        values = {
            "prefix": share,
            "all": float(share == 1.0),
            "last": float(bool(said) and said[-1] == wanted[-1]),
        }
        detail = {"prefix": prefix, "steps": len(wanted)}
        return Score(values[self.of], parsed=bool(said), detail=detail)


def _steps(text: str) -> Sequence[str]:
    """The steps in a text, each with its white space collapsed."""
    try:
        listed = json.loads(text)
    except ValueError:
        listed = None
    if not isinstance(listed, list):
        listed = [line for line in text.splitlines() if line.strip()]
    return [" ".join(_shown(step).split()) for step in listed]


def _shown(step: object) -> str:
    return step if isinstance(step, str) else json.dumps(step, sort_keys=True)
