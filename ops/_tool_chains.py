"""A chain of thought with calls inside it, whose places tools fill (chain of abstraction)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from ..compiler.op import Asking
from ..compiler.values import Candidate, Json, Purpose
from ._asks import answering
from ._attempt import Attempt
from ._board import Board, Entry
from ._calls_text import Scanner, Written
from ._references import filled, mixed
from ._tool_texts import listed

__all__ = ["chained"]

_REFERENCE = re.compile(r"\$\$?\{\s*\d[^}]*\}|\$\$\{")


async def chained(attempt: Attempt, asking: Asking) -> Candidate:
    """Write the chain, make its calls while it goes on being written, and fill it in."""
    ctx, board = attempt.ctx, attempt.board
    text = ctx.fill(asking, tools=listed(attempt.tools), most=str(attempt.most))
    messages, purpose = answering(ctx.question, text), Purpose("solve", ctx.question.text)
    scanner, calls = Scanner(in_brackets=True), list[_Placed]()
    async with (
        board.round(),
        ctx.stream(asking, messages, purpose, attempt.request(0).start) as writing,
    ):
        async for part in writing:
            calls += [(written, board.write(written)) for written in scanner.feed(part)]
        calls += [(written, board.write(written)) for written in scanner.end()]
    told, whole = _filled(scanner.text, calls, board)
    reply = replace(writing.reply, text=told)
    candidate = ctx.candidate(replace(reply, usage=reply.usage + board.usage), index=attempt.index)
    if not whole:
        ctx.note("a chain with gaps", candidate=candidate.origin.key)
        candidate = replace(candidate, answer=None)
    return candidate.noted("calls", board.note())


_Placed: TypeAlias = "tuple[Written, Entry | None]"
"""A call where it was written, and what became of it; None where its number was taken."""


def _filled(text: str, calls: Sequence[_Placed], board: Board) -> tuple[str, bool]:
    """The chain with results where calls and references stood, and whether all of them are
    there."""
    results = {id: e.result.value for id, e in board.entries.items() if not e.result.error}
    parts: list[str] = []
    missing = 0
    end = 0
    for written, entry in calls:
        before, lost = _with_results(text[end : written.start], results, board)
        missing += lost
        end = written.end
        if entry is not None and not entry.result.error:
            parts += [before, board.shown(entry.result.value)]
        else:
            missing += 1
            parts += [before, f"[call {written.id} failed]"]
    rest, lost = _with_results(text[end:], results, board)
    return "".join([*parts, rest]), not missing + lost


def _with_results(text: str, results: Mapping[int, Json], board: Board) -> tuple[str, int]:
    """Prose with results in place of references, and how many of those there are none for."""
    parts: list[str] = []
    end = missing = 0
    for found in _REFERENCE.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        try:
            value = mixed(found[0])
            parts.append(value if isinstance(value, str) else board.shown(filled(value, results)))
        except (KeyError, ValueError):
            missing += 1
            parts.append(f"[{found[0]} is missing]")
    return "".join([*parts, text[end:]]), missing
