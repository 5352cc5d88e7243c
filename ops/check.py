"""Check each candidate's answer by exact arithmetic."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import isfinite
from typing import Annotated, Literal

from pydantic import Field

from ..compiler.op import Context, Each, Flow
from ..compiler.values import Candidate, Json

__all__ = ["Check"]

_LONGEST = 500
"""Characters of an expression that is looked at."""
_WRITTEN = re.compile(r"[\d.\s+\-*/()]+")
_MOST = 60
"""Operators and numbers of one."""


class Check(Each):
    """Check each candidate's answer by exact arithmetic.

    The answer is an expression of whole or decimal numbers, `+ - * /` and brackets. It passes if
    its value is `equals`, computed with fractions, and if with `uses` it holds each of the numbers
    in that field of the record exactly once and no others. Adds the score `check`, 1 or 0. *No
    answer*, and what is no such expression, does not pass and is noted. Asks nobody and runs
    nothing. With `keep: passing`, only those that pass go on: `select` with `by: first` behind it
    then stops the draws.

    The game of 24 of Tree of Thoughts (Yao et al., 2023).
    """

    equals: Annotated[float, Field(allow_inf_nan=False)]
    """What the expression must come to."""
    uses: Annotated[str, Field(min_length=1)] | None = None
    """The field of the record that holds its numbers, as a list or as a text."""
    keep: Literal["all", "passing"] = "all"
    """Which candidates go on."""

    def flow(self, given: Flow) -> Flow:
        checked = given.adding(("check",))
        return checked if self.keep == "all" else checked.with_count(0, given.count.high)

    def keeps(self) -> Literal["none", "some", "all"]:
        return "all" if self.keep == "all" else "some"

    async def one(self, ctx: Context, candidate: Candidate) -> Candidate | None:
        told = "" if candidate.answer is None else candidate.answer.text
        why = self._wrong(told, ctx.question.fields)
        if why:
            ctx.note("failed the check", candidate=candidate.origin.key, why=why)
            return None if self.keep == "passing" else candidate.scored("check", 0.0)
        return candidate.scored("check", 1.0)

    def _wrong(self, told: str, fields: Mapping[str, Json]) -> str:
        """What is wrong with an expression; "" if nothing is."""
        if not told:
            return "no answer"
        try:
            value, numbers = _worked_out(told)
        except (ValueError, SyntaxError, ZeroDivisionError, RecursionError, MemoryError) as error:
            return f"no expression with a value: {type(error).__name__}"
        if value != Fraction(str(self.equals)):
            return f"it comes to {value}"
        if self.uses is not None:
            wanted = _numbers(fields.get(self.uses))
            if Counter(numbers) != Counter(wanted):
                return "it does not use each number once"
        return ""


def _numbers(told: Json) -> list[Fraction]:
    """The numbers in a field: a list, or a text with blanks or commas between."""
    parts = told.replace(",", " ").split() if isinstance(told, str) else told
    if not isinstance(parts, Sequence):
        return []
    return [Fraction(str(part)) for part in parts]


def _worked_out(told: str) -> tuple[Fraction, list[Fraction]]:
    """The value of an expression, and the numbers in it. Raises what parsing it can raise."""
    if len(told) > _LONGEST or not _WRITTEN.fullmatch(told):
        raise ValueError("too long, or not arithmetic")
    tree = ast.parse(told.strip(), mode="eval")
    if sum(1 for _ in ast.walk(tree)) > 3 * _MOST:
        raise ValueError("too large")
    numbers: list[Fraction] = []
    return _value(tree.body, numbers), numbers


def _value(node: ast.expr, numbers: list[Fraction]) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(
            number, bool
        ) and isfinite(number):
            numbers.append(Fraction(str(number)))
            return numbers[-1]
        case ast.BinOp(left=left, op=op, right=right):
            one, other = _value(left, numbers), _value(right, numbers)
            match op:
                case ast.Add():
                    return one + other
                case ast.Sub():
                    return one - other
                case ast.Mult():
                    return one * other
                case ast.Div():
                    return one / other
    raise ValueError("neither a number nor + - * /")
