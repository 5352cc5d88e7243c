"""What a scalar's text means, by the rules of YAML 1.2."""

from __future__ import annotations

import math
import re

from .bounds import DIGITS
from .tree import Scalar

__all__ = ["BadScalar", "tagged", "untagged"]

_INT = re.compile(r"[-+]?[0-9][0-9_]*")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")


class BadScalar(ValueError):
    """A scalar that its tag or its length forbids."""


def untagged(text: str) -> Scalar:
    """The value of a plain scalar, which its text decides. Raises BadScalar."""
    if not text or text in ("~", "null", "Null", "NULL"):
        return None
    first = text[0]
    if first in "tTfF":
        if text in ("true", "True", "TRUE"):
            return True
        if text in ("false", "False", "FALSE"):
            return False
        return text
    return _number(text) if first in "0123456789+-." else text


def tagged(text: str, tag: str) -> Scalar:
    """The value of a scalar with the short name of its tag. Raises BadScalar."""
    if tag == "str":
        return text
    value = untagged(text)
    if tag == "float" and type(value) is int:
        return float(value)
    if (type(value).__name__ if value is not None else "null") != tag:
        raise BadScalar(f'"{text[:40]}" is not {"an int" if tag == "int" else "a " + tag}')
    return value


def _number(text: str) -> int | float | str:
    if len(text) > DIGITS:
        if _INT.fullmatch(text) or _FLOAT.fullmatch(text):
            raise BadScalar(f"a number of more than {DIGITS} characters")
        return text
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        value = float(text.replace("_", ""))
        if math.isinf(value):
            raise BadScalar(f"{text[:40]} is too large for a number")
        return value
    sign, low = text[:1], text.lstrip("+-").lower()
    if low == ".inf" and len(text) <= 5:
        return -math.inf if sign == "-" else math.inf
    return math.nan if text.lower() == ".nan" else text
