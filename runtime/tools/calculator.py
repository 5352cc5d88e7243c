"""The calculator that ships with polyarch: arithmetic out of a text, and nothing else."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

__all__ = ["calculator"]

Number: TypeAlias = "int | float"

_LONGEST = 1000
"""Characters of an expression."""
_DEEPEST = 50
_LARGEST = 10**100

_TWO: Mapping[type[ast.operator], Callable[[Number, Number], Number]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        ast.FloorDiv: operator.floordiv,
        ast.Mod: operator.mod,
    }
)
_ONE: Mapping[type[ast.unaryop], Callable[[Number], Number]] = MappingProxyType(
    {ast.UAdd: operator.pos, ast.USub: operator.neg}
)
_FUNCTIONS: Mapping[str, Callable[..., Number]] = MappingProxyType(
    {
        "abs": abs,
        "ceil": math.ceil,
        "cos": math.cos,
        "exp": math.exp,
        "floor": math.floor,
        "log": math.log,
        "max": max,
        "min": min,
        "round": round,
        "sin": math.sin,
        "sqrt": math.sqrt,
        "tan": math.tan,
    }
)
_CONSTANTS: Mapping[str, Number] = MappingProxyType({"pi": math.pi, "e": math.e})


async def calculator(expression: str) -> int | float:
    """Work out an arithmetic expression, such as "(12.5 - 3) * 2 ** 4": + - * / // % ** and
    brackets; abs, ceil, cos, exp, floor, log, max, min, round, sin, sqrt, tan; pi and e."""
    # Quick, whatever it is asked: it needs no thread.
    if len(expression) > _LONGEST:
        raise ValueError(f"longer than {_LONGEST} characters")
    try:
        tree = ast.parse(expression.strip().replace("^", "**"), mode="eval")
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"no arithmetic expression: {expression!r}") from error
    return _value(tree.body, _DEEPEST)


def _value(node: ast.expr, depth: int) -> Number:
    if not depth:
        raise ValueError("too deeply nested")
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _bounded(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=inner) if type(op) in _ONE:
            return _ONE[type(op)](_value(inner, depth - 1))
        case ast.BinOp(left=left, op=op, right=right):
            return _bounded(_two(op, _value(left, depth - 1), _value(right, depth - 1)))
        case ast.Call(func=ast.Name(id=name), args=given, keywords=[]) if name in _FUNCTIONS:
            values = [_value(inner, depth - 1) for inner in given]
            return _bounded(_FUNCTIONS[name](*values))
    raise ValueError(f"no arithmetic: {ast.unparse(node)[:80]}")


def _two(op: ast.operator, left: Number, right: Number) -> Number:
    if isinstance(op, ast.Pow):
        return _power(left, right)
    if type(op) not in _TWO:
        raise ValueError(f"no arithmetic: {type(op).__name__}")
    return _TWO[type(op)](left, right)


def _power(base: Number, exponent: Number) -> Number:
    """A power, of which it is known before that it is not too large to write down."""
    if abs(base) > 1 and exponent * math.log10(abs(base)) > math.log10(_LARGEST):
        raise ValueError("the number is too large")
    made = base**exponent
    if isinstance(made, complex):
        raise ValueError("the result is no real number")
    real: Number = made
    return real


def _bounded(number: Number) -> Number:
    if not abs(number) <= _LARGEST:  # nor is it no number
        raise ValueError("the number is too large")
    return number
