"""Digits as written to a fraction without rounding, and back."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

__all__ = ["exact_value", "number_text"]

_DIGITS: Final = 300
_POWER: Final = 300
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})++(?:\.\d++)?+")
_PLAIN = re.compile(r"\d++(?:\.\d++)?+|\.\d++")
_RATIO = re.compile(r"(\d++)/(\d++)")


def exact_value(found: re.Match[str]) -> tuple[Fraction, bool] | None:
    """The value of a numeral's match without its sign, and whether it was written as a fraction.

    None if it is malformed.
    """
    digits, power, under = found["digits"], found["power"], found["under"]
    if len(digits) > _DIGITS or len(under or "") > _DIGITS:
        return None
    if ratio := _RATIO.fullmatch(digits):
        top, bottom = int(ratio[1]), int(ratio[2])
        if bottom == 0 or power or under or (found["whole"] and top >= bottom):
            return None
        return Fraction(top, bottom) + int(found["whole"] or 0), True
    if not (_GROUPED.fullmatch(digits) or _PLAIN.fullmatch(digits)):
        return None
    shift = int(power[1:]) if power else 0
    if abs(shift) > _POWER:
        return None
    value = Fraction(Decimal(digits.replace(",", ""))) * Fraction(10) ** shift
    if under is None:
        return value, False
    return (value / int(under), True) if int(under) else None


def number_text(value: Fraction, is_ratio: bool) -> str:
    """A value in canonical form: whole, a fraction where written so, else a decimal."""
    if value.denominator == 1:
        return str(value.numerator)
    if is_ratio:
        return f"{value.numerator}/{value.denominator}"
    # A decimal number has a denominator of twos and fives, so enough places write it exactly.
    places = max(_times(value.denominator, 2), _times(value.denominator, 5))
    digits = str(abs(value.numerator) * 10**places // value.denominator).zfill(places + 1)
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _times(number: int, factor: int) -> int:
    count = 0
    while number % factor == 0:
        number //= factor
        count += 1
    return count
