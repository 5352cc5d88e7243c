"""Edits of a text of reasoning: cut short, with a mistake, with filler in its place."""

from __future__ import annotations

import re
from random import Random
from typing import NamedTuple

__all__ = ["Reasoning", "filler", "mistaken", "reasoning", "truncated"]

_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.]*\d)")


class Reasoning(NamedTuple):
    """The lines before the conclusion, which are what is edited, and the conclusion."""

    lines: tuple[str, ...]
    conclusion: str


def reasoning(text: str, closing: str = "") -> Reasoning:
    """The parts of a reply: the conclusion is what stands from the last `closing` on, or else the
    last line; empty lines go.

    >>> reasoning("3*4=12\\n12-2=10\\nanswer: 10", "answer:")
    Reasoning(lines=('3*4=12', '12-2=10'), conclusion='answer: 10')
    """
    at = text.rfind(closing) if closing else -1
    before, after = (text[:at], text[at:]) if at >= 0 else ("", "")
    lines = [line for line in (before if at >= 0 else text).splitlines() if line.strip()]
    if at < 0 and lines:
        return Reasoning(tuple(lines[:-1]), lines[-1])
    return Reasoning(tuple(lines), after)


def truncated(lines: tuple[str, ...], keep: int) -> tuple[str, ...]:
    """The first lines alone."""
    return lines[:keep]


def mistaken(line: str, rng: Random) -> str | None:
    """The line with its last number another one; None without a number.

    >>> mistaken("3*4=12", Random(0)) in {f"3*4={n}" for n in range(3, 22) if n != 12}
    True
    """
    found = list(_NUMBER.finditer(line))
    if not found:
        return None
    last = found[-1]
    off = rng.choice([n for n in range(-9, 10) if n and int(last[0]) + n >= 0])
    return f"{line[: last.start()]}{int(last[0]) + off}{line[last.end() :]}"


def filler(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Dots in place of the lines, about as long.

    >>> filler(("3*4=12",))
    ('......',)
    """
    return tuple("." * max(1, len(line)) for line in lines)
