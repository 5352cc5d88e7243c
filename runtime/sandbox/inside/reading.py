"""Read values that a program sent: built out of Python's own types, whatever the text says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

__all__ = ["decoded"]


def decoded(node: Any) -> Any:
    """The value that `values.encoded` wrote as JSON. Raises `ValueError` for any other JSON."""
    try:
        return _value(node)
    except (RecursionError, TypeError, ArithmeticError, IndexError) as error:
        raise ValueError(f"no value: {type(error).__name__}") from None


def _value(node: Any) -> Any:
    if not isinstance(node, list):
        if node is None or isinstance(node, bool | str):
            return node
        raise ValueError("no value: a bare number or object")
    tag, *parts = node
    if tag in _LEAVES:
        if any(not isinstance(part, str) for part in parts):
            raise ValueError("no value: no text within")
        return _LEAVES[tag](*parts)
    if tag in _CONTAINERS:
        return _CONTAINERS[tag]([_value(part) for part in parts])
    raise ValueError("no value: of no known kind")


def _pairs(parts: Sequence[Any]) -> dict[Any, Any]:
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _complex(real: str, imaginary: str) -> complex:
    return complex(float.fromhex(real), float.fromhex(imaginary))


_LEAVES: dict[str, Callable[..., Any]] = {
    "i": lambda text: int(text, 16),
    "f": float.fromhex,
    "c": _complex,
    "b": bytes.fromhex,
    "a": bytearray.fromhex,
}

_CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {
    "l": list,
    "t": tuple,
    "d": _pairs,
    "s": set,
    "z": frozenset,
    "q": deque,
    "n": iter,
    "r": lambda parts: range(*parts),
    "D": lambda parts: Decimal(*parts),
    "F": lambda parts: Fraction(*parts),
}
