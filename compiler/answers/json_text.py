"""JSON within a text, and JSON in its shortest form."""

from __future__ import annotations

import json
import re
from typing import Final

__all__ = ["compact", "first_json"]

_FAILURES: Final = 1_000
_JSON_START = re.compile(r"""\{(?=\s*+["}])|\[(?=\s*+[\[{"\d\-tfn\]])""")


def first_json(text: str) -> object:
    """The first object or array; None where there is none. Raises ValueError, RecursionError."""
    decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant, strict=False)
    place = 0
    # A decoding error counts the lines before it, so without a bound many would cost a square.
    for _ in range(_FAILURES):
        start = _JSON_START.search(text, place)
        if start is None:
            break
        try:
            value: object = decoder.raw_decode(text, start.start())[0]
        except json.JSONDecodeError as error:
            # Cut off inside a string: what looks like JSON in it is not the answer.
            if error.msg.startswith("Unterminated"):
                return None
            place = max(start.end(), error.pos)
        else:
            return value
    return None


def _finite(text: str) -> float | int:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def compact(value: object) -> str:
    """The shortest JSON of a value, with sorted keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Half a surrogate pair can be written in JSON and in no file.
    if any("\ud800" <= c <= "\udfff" for c in text):
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    return text
