"""Constraints between holes, as they are written under `where:`."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..holes import TABLES
from ..names import nearest
from .expression import (
    All,
    Any_,
    Compare,
    Constant,
    Count,
    Expression,
    Not,
    Present,
    Total,
    Value,
)
from .hole import Hole, When
from .read import Group

__all__ = ["BadExpression", "Known", "expression", "without_table"]

_LONGEST = 1000
_DEEPEST = 50

_DOT = "\u00b7"
"""Stands for the dots of a name while Python's parser reads it: it may be part of a name there, and
then `drafts.members.0` is one name, with its place."""

_NAMES = re.compile(r"""'[^']*'|"[^"]*"|(?<![\w.])[A-Za-z_]\w*(?:\.\w+)+""")

_SIGNS: Mapping[type[ast.AST], str] = MappingProxyType(
    {
        ast.Eq: "==",
        ast.NotEq: "!=",
        ast.Lt: "<",
        ast.LtE: "<=",
        ast.Gt: ">",
        ast.GtE: ">=",
        ast.Add: "+",
        ast.Sub: "-",
        ast.Mult: "*",
    }
)
_WORDS = MappingProxyType({"true": True, "false": False, "null": None, "none": None})


class BadExpression(ValueError):
    """What is wrong with an expression, from which character on and how far."""

    def __init__(self, message: str, column: int, width: int, hint: str = "") -> None:
        self.column = column
        self.width = width
        self.hint = hint
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Known:
    """What an expression may name: by its whole path, by its path without `steps`, or by as much of
    the end of it as is unique."""

    holes: Mapping[str, Hole]
    groups: Mapping[str, Group] = field(default_factory=dict)
    times: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, When] = field(default_factory=dict)

    def value(self, word: str) -> Expression:
        """What is chosen for the hole of a name. Raises LookupError with a hint."""
        name = _full(word, [*self.holes, *self.groups, *self.times])
        if name in self.groups:
            return Count(name, self.groups[name].when)
        return Value(self.holes[self.times.get(name, name)])

    def present(self, word: str) -> Expression:
        """Whether what has a name is there. Raises LookupError with a hint."""
        name = _full(word, [*self.holes, *self.groups, *self.steps])
        if name in self.groups:
            return Present(self.groups[name].when)
        hole = self.holes.get(name)
        if hole is not None and hole.options == (False, True):
            return Present((*hole.when, (name, True)))
        return Present(self.steps[name] if name in self.steps else self.holes[name].when)


def expression(text: str, known: Known) -> Expression:
    """The condition that a text says. Raises BadExpression."""
    if len(text) > _LONGEST:
        raise BadExpression(f"longer than {_LONGEST} characters", 0, 1)
    hidden = _NAMES.sub(lambda m: m[0] if m[0][0] in "'\"" else m[0].replace(".", _DOT), text)
    try:
        tree = ast.parse(hidden, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        offset = getattr(error, "offset", None) or len(text)
        told = "this is no condition"
        hint = "such as `drafts.n >= 4`, `present(checked) or answer.weight == null`"
        raise BadExpression(told, max(0, min(offset, len(text)) - 1), 1, hint) from None
    return _Parser(text, hidden, known).made(tree.body)


def without_table(name: str) -> str:
    """A name without `steps` or `models` before it."""
    table, _, rest = name.partition(".")
    return rest if table in TABLES and rest else name


def _full(word: str, names: list[str]) -> str:
    """The name that a word stands for."""
    if word in names:
        return word
    found = sorted({name for name in names if without_table(name) == word})
    if len(found) != 1:
        found = sorted({name for name in names if name.endswith(f".{word}")})
    if len(found) == 1:
        return found[0]
    if found:
        raise LookupError(f"{word!r} may be {' or '.join(found[:4])}", "write more of its name")
    raise LookupError(f"no hole {word!r}", nearest(word, map(without_table, names)))


class _Parser:
    def __init__(self, text: str, hidden: str, known: Known) -> None:
        self._text = text
        self._bytes = hidden.encode()
        self._known = known
        self._depth = 0

    def made(self, node: ast.expr) -> Expression:
        """The part of the condition that a part of Python's tree says."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(node, "this is nested too deep")
        try:
            return self._made(node)
        finally:
            self._depth -= 1

    def _made(self, node: ast.expr) -> Expression:
        match node:
            case ast.BoolOp():
                parts = tuple(map(self.made, node.values))
                return All(parts) if isinstance(node.op, ast.And) else Any_(parts)
            case ast.UnaryOp(op=ast.Not()):
                return Not((self.made(node.operand),))
            case ast.UnaryOp(op=ast.USub()):
                return Total((self._number(node.operand),), "neg")
            case ast.BinOp() if type(node.op) in _SIGNS:
                parts = (self._number(node.left), self._number(node.right))
                return Total(parts, _SIGNS[type(node.op)])
            case ast.Compare():
                return self._compared(node)
            case ast.Call(func=ast.Name()):
                return self._called(node)
            case ast.Constant(value=bool() | int() | float() | str()):
                return Constant(node.value)
            case ast.Name():
                return self._word(node)
        hint = "known: and, or, not, comparisons, +, -, *, min(…), max(…), present(…)"
        raise self._wrong(node, "this cannot stand in a condition", hint)

    def _word(self, node: ast.Name) -> Expression:
        if node.id in _WORDS:
            return Constant(_WORDS[node.id])
        return self._named(node, present=False)

    def _compared(self, node: ast.Compare) -> Expression:
        signs = tuple(_SIGNS.get(type(sign), "") for sign in node.ops)
        if "" in signs:
            raise self._wrong(node, "this comparison is not known", "known: ==, !=, <, <=, >, >=")
        ordered = any(sign not in ("==", "!=") for sign in signs)
        read = self._number if ordered else self.made
        return Compare(tuple(map(read, (node.left, *node.comparators))), signs)

    def _called(self, node: ast.Call) -> Expression:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if node.keywords or not node.args or name not in ("present", "min", "max"):
            hint = nearest(name, ("present", "min", "max"))
            raise self._wrong(node.func, f"no function {name!r}", hint)
        if name != "present":
            parts = tuple(map(self._number, node.args))
            return Total(parts, name) if len(parts) > 1 else parts[0]
        (what, *more) = node.args
        if more or not isinstance(what, ast.Name):
            raise self._wrong(node, "`present` takes the name of a step or a hole")
        return self._named(what, present=True)

    def _named(self, node: ast.Name, *, present: bool) -> Expression:
        word = node.id.replace(_DOT, ".")
        try:
            return self._known.present(word) if present else self._known.value(word)
        except LookupError as error:
            message, hint = error.args
            raise self._wrong(node, message, hint) from None

    def _number(self, node: ast.expr) -> Expression:
        made = self.made(node)
        if not made.numeric:
            raise self._wrong(node, "this is not always a number", "texts can only be equal or not")
        return made

    def _wrong(self, node: ast.expr, message: str, hint: str = "") -> BadExpression:
        start = len(self._bytes[: node.col_offset].decode())
        end = len(self._bytes[: node.end_col_offset or 0].decode())
        one_line = node.lineno == 1 and node.end_lineno == 1
        column, width = (start, end - start) if one_line else (0, len(self._text))
        return BadExpression(message, column, max(1, width), hint)
