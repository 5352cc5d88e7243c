"""Tools called by a chat of the provider's own form: any number of calls a turn, all at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..compiler.op import Asking, Reply, Wishes
from ..compiler.values import Candidate, Message, Purpose, ToolCall, Usage
from ._asks import chat
from ._attempt import Attempt
from ._board import Board, Entry

__all__ = ["chatted", "wire_names"]

_LAST = "Answer now, from what is there. No more tools can be called."


def wire_names(names: Sequence[str]) -> Mapping[str, str]:
    """The tools by the names that providers take, which know no dots."""
    return {name.replace(".", "__"): name for name in names}


async def chatted(attempt: Attempt, asking: Asking, rounds: int) -> Candidate:
    """Ask, make the calls, tell their results, and ask again, until nothing more is called."""
    ctx, board = attempt.ctx, attempt.board
    named = wire_names([tool.name for tool in attempt.tools])
    wires = zip(named, attempt.tools, strict=True)
    wishes = Wishes(tools=tuple(replace(tool, name=wire) for wire, tool in wires))
    messages, usage = chat(asking, ctx), Usage()
    for turn in range(rounds + 1):
        last = turn == rounds
        if last:
            messages = (*messages, Message("user", _LAST))
        shown = tuple(_result(board, entry) for entry in board.entries.values())
        purpose = Purpose("call", ctx.question.text, shown)
        (reply,) = await ctx.sample(asking, messages, purpose, attempt.request(turn), wishes)
        usage += reply.usage
        if last or not reply.calls:
            return _answered(attempt, replace(reply, usage=usage + board.usage))
        async with board.round():
            made = [_start(board, call, named) for call in reply.calls]
        told = [
            Message("tool", _result(board, entry), call=call.id)
            for call, entry in zip(reply.calls, made, strict=True)
        ]
        messages = (*messages, Message("assistant", reply.text, reply.calls), *told)
    raise AssertionError("the last round ends with an answer")


def _start(board: Board, call: ToolCall, named: Mapping[str, str]) -> Entry:
    """Make a call as the provider tells it; one that cannot be read fails."""
    tool = named.get(call.name, call.name)
    arguments: Any = {}
    wrong = board.wrong_name(tool)
    if not wrong:
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError as error:
            wrong = f"the arguments are no JSON: {error}"
    if not isinstance(arguments, dict):
        arguments, wrong = {}, "the arguments are no JSON object"
    return board.start(board.next, tool, arguments, wrong)


def _result(board: Board, entry: Entry) -> str:
    called = entry.result
    return f"failed: {called.error}" if called.error else board.shown(called.value)


def _answered(attempt: Attempt, reply: Reply) -> Candidate:
    """The candidate of the last reply; calls that it still wants made are not."""
    if reply.calls:
        attempt.ctx.count_unreadable(reply, "it calls tools after the last round")
    candidate = attempt.ctx.candidate(reply, index=attempt.index)
    return candidate.noted("calls", attempt.board.note())
