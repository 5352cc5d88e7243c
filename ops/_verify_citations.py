"""The method of `verify` that looks up what a candidate quotes; asks nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from ..compiler.op import Calls, Context, Flow
from ..compiler.values import Candidate, Json, Usage
from ._fields import field_of
from ._verify import Check, Found, Method

if TYPE_CHECKING:
    from .verify import Verify

__all__ = ["Citations", "cited", "passages"]

_CITED = re.compile(
    r"""
    (?: (?<!\w) " (?P<straight> (?: (?!\n\s*\n) [^"] )* ) " (?!\w)
      | “ (?P<curly> [^“”]+ ) ”
      | « (?P<angle> [^«»]+ ) »
    ) (?: \s? \[ (?P<number> \d{1,4} ) \] )?
    | \[ (?P<alone> \d{1,4} ) \]
    """,
    re.VERBOSE,
)
"""A quotation with the mark behind it, or a mark alone."""

_MARKED = re.compile(r"^\s*\[(\d{1,4})\]\s*", re.MULTILINE)
"""Where a passage begins in a text that numbers its passages."""


class Citations(Method):
    """Every quotation must stand in the source, and every mark name a passage of it."""

    takes: ClassVar[frozenset[str]] = frozenset({"source"})
    required: ClassVar[frozenset[str]] = frozenset()
    shown: ClassVar[frozenset[str]] = frozenset()

    def asks(self, op: Verify) -> bool:
        return False

    def roles(self, op: Verify) -> frozenset[str]:
        return frozenset()

    def calls(self, op: Verify, given: Flow) -> tuple[Calls, ...]:
        return ()

    async def found(self, op: Verify, ctx: Context, candidate: Candidate) -> Found:
        text = ctx.question.text if op.source is None else field_of(ctx, op.source, "a source")
        checks = cited(candidate.text, passages(text))
        return Found(checks, Usage(), listed=True, why="it cites nothing")


def passages(source: Json) -> Mapping[int, str]:
    """The passages of a source by number: of a list from 1; of a text the parts that begin with
    `[n]` at the start of a line; else the whole text as number 0.

    Raises ValueError for what is neither text nor list of texts.
    """
    if isinstance(source, str):
        starts = list(_MARKED.finditer(source))
        if not starts:
            return {0: source}
        ends = [found.start() for found in starts[1:]] + [len(source)]
        pairs = zip(starts, ends, strict=True)
        return {int(start[1]): source[start.end() : end] for start, end in pairs}
    if isinstance(source, Sequence) and all(isinstance(part, str) for part in source):
        return {number: str(part) for number, part in enumerate(source, start=1)}
    raise ValueError("a source is a text, or a list of texts")


def cited(text: str, source: Mapping[int, str]) -> tuple[Check, ...]:
    """A check of every quotation and mark in a text, in its order. White space counts as one blank,
    and a comma or full stop at the end of a quotation as none.

    >>> [check.verdict for check in cited('"one  two" and "three".', {0: "one two"})]
    ['right', 'wrong']
    """
    held = {number: _plain(passage) for number, passage in source.items()}
    found = (_checked(match, held) for match in _CITED.finditer(text))
    return tuple(check for check in found if check is not None)


def _checked(match: re.Match[str], held: Mapping[int, str]) -> Check | None:
    numbered = 0 not in held
    number = match["number"] or match["alone"]
    if match["alone"]:
        if not numbered:
            return None
        there = int(number) in held
        return Check("right" if there else "wrong", "" if there else "no such passage", match[0])
    quoted = _plain(match["straight"] or match["curly"] or match["angle"] or "").rstrip(".,")
    if not quoted:
        return None
    if number and numbered:
        if int(number) not in held:
            return Check("wrong", "no such passage", match[0])
        there = quoted in held[int(number)]
        return Check("right" if there else "wrong", "" if there else "not in it", match[0])
    there = any(quoted in passage for passage in held.values())
    return Check("right" if there else "wrong", "" if there else "not in the source", match[0])


def _plain(text: str) -> str:
    return " ".join(text.split())
