"""What servers say when they fail, whoever made them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

__all__ = ["TOO_LONG", "one_line", "retry_after"]

TOO_LONG = re.compile(
    r"context[ _-]?(?:length|window|size)|max(?:imum)? (?:model|context|prompt|input)[ _]len"
    r"|max_model_len|too (?:long|many (?:input |prompt )?tokens)|input token count"
    r"|longer than the|reduce the length",
    re.IGNORECASE,
)
"""How a refusal of a request reads that is too long."""

_SHOWN = 300
"""Characters shown of what a server said."""


def one_line(said: str) -> str:
    """What a server said in one line, or the beginning of it."""
    said = " ".join(said.split())
    return said if len(said) <= _SHOWN else said[:_SHOWN] + "…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait: `retry-after-ms`, else Retry-After, in seconds or as
    a date. None for what cannot be read."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    told = headers.get("Retry-After", "")
    seconds = _number(told)
    if seconds is not None or not told:
        return seconds
    try:
        at = parsedate_to_datetime(told)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return max(0.0, number) if isfinite(number) else None
