"""Texts that are cut behind a mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..compiler.op import Reply
from ..compiler.values import CUT

__all__ = ["CUT", "cut_behind"]


def cut_behind(reply: Reply, begun: str, marks: Sequence[str]) -> Reply:
    """A reply with the text that it goes on from, cut behind the first mark that is new, be it in
    part."""
    whole = begun + reply.text
    ends = [
        place + len(mark)
        for mark in marks
        if (place := whole.find(mark, max(0, len(begun) - len(mark) + 1))) >= 0
    ]
    if not ends:
        return replace(reply, text=whole)
    return replace(reply, text=whole[: min(ends)], finish=CUT)
