"""The game of 24: an expression of four numbers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from ...compiler.answers import Answer
from ...compiler.errors import InputError
from ..data.item import Item
from .score import Score

__all__ = ["Game24", "expression"]

_TARGET = 24
_ARITHMETIC = re.compile(r"[\d\s+*/().-]+")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Game24:
    """1 for an expression that uses the item's numbers once each and gives 24, in exact arithmetic.

    The numbers are the field `numbers`, else those on the last line of the question. Tree of
    Thoughts (Yao et al., 2023).
    """

    name: ClassVar[str] = "game24"

    async def score(self, item: Item, answer: Answer | None, text: str) -> Score:
        """Whether the expression is one that is wanted."""
        wanted = _numbers(item)
        said = None if answer is None else expression(answer.text)
        if said is None:
            return Score(0.0, parsed=False)
        try:
            tree = ast.parse(said, mode="eval").body
            right = sorted(_leaves(tree)) == sorted(wanted) and _value(tree) == _TARGET
        except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
            return Score(0.0)
        return Score(float(right))


def expression(text: str) -> str | None:
    """The arithmetic expression on the last line of a text, without `Answer:` and what follows
    `=`; None where there is none."""
    line = (text.strip().splitlines() or [""])[-1]
    line = re.sub(r"^answer:\s*", "", line.strip(), flags=re.IGNORECASE).split("=")[0].strip()
    return line if line and _ARITHMETIC.fullmatch(line) else None


def _numbers(item: Item) -> Sequence[int]:
    told = item.fields.get("numbers")
    if isinstance(told, list | tuple):
        return [int(str(number)) for number in told]
    found = [int(n) for n in _DIGITS.findall((item.text.splitlines() or [""])[-1])]
    if len(found) < 2:
        raise InputError(f"item {item.id!r}: no numbers to use")
    return found


def _leaves(tree: ast.expr) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if type(node.value) is not int:
                raise ValueError("not a whole number")
            yield node.value


def _value(tree: ast.expr) -> Fraction:
    match tree:
        case ast.Constant(value=int(value)):
            return Fraction(value)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _value(left) + _value(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _value(left) - _value(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _value(left) * _value(right)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _value(left) / _value(right)
    raise ValueError("not an expression of + - * /")
