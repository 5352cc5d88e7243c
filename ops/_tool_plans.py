"""Rounds of a plan and a join: calls run while the plan is still being written."""

from __future__ import annotations

from dataclasses import replace

from ..compiler.op import Asking, Context, Reply
from ..compiler.values import Candidate, Purpose, Usage
from ._asks import answering
from ._attempt import Attempt
from ._board import Board
from ._calls_text import Scanner
from ._join import AGAIN, LAST, Join, missing
from ._tool_texts import listed

__all__ = ["planned"]


async def planned(attempt: Attempt, planner: Asking, join: Join, rounds: int) -> Candidate:
    """Plan and join, until the join is an answer."""
    ctx, board = attempt.ctx, attempt.board
    usage, lacking = Usage(), ""
    for number in range(rounds):
        last = number + 1 == rounds
        so_far = _so_far(board, lacking) if number else ""
        async with board.round():
            plan = await _plan(attempt, planner, so_far, attempt.request(2 * number))
        if board.faults:
            ctx.note("faults of a plan", faults=list(board.faults))
        reply = await _join(ctx, board, join, last, attempt.request(2 * number + 1))
        usage += plan.usage + reply.usage
        wanted = missing(reply.text)
        if wanted is None or last:
            reply = replace(reply, usage=usage + board.usage)
            return _joined(attempt, reply, number + 1, unanswered=wanted is not None)
        lacking = wanted or "It was not said."
    raise AssertionError("the last round ends with an answer")


def _so_far(board: Board, lacking: str) -> str:
    """What a planner is told of the rounds before."""
    return (
        f"### Calls so far\n{board.told()}\n\n### What is missing\n{lacking}\n\n"
        f"Write down only calls that are new.\n\n"
    )


async def _plan(attempt: Attempt, planner: Asking, so_far: str, draws: range) -> Reply:
    """Put the calls of a plan on the board as they are written down."""
    ctx, board, scanner = attempt.ctx, attempt.board, Scanner()
    text = ctx.fill(
        planner,
        tools=listed(attempt.tools),
        results=so_far,
        most=str(attempt.most),
        first=str(board.next),
    )
    purpose = Purpose("plan", ctx.question.text, (so_far,) if so_far else ())
    messages = answering(ctx.question, text)
    async with ctx.stream(planner, messages, purpose, draws.start) as writing:
        async for part in writing:
            for written in scanner.feed(part):
                board.write(written)
        for written in scanner.end():
            board.write(written)
        return writing.reply


async def _join(ctx: Context, board: Board, join: Join, last: bool, draws: range) -> Reply:
    results = board.told()
    text = ctx.fill(join, results=results, again=LAST if last else AGAIN)
    purpose = Purpose("join", ctx.question.text, (results,))
    (reply,) = await ctx.sample(join, answering(ctx.question, text), purpose, draws)
    return reply


def _joined(attempt: Attempt, reply: Reply, rounds: int, *, unanswered: bool) -> Candidate:
    """The candidate of the last reply; no answer where it asks for a round that there is not."""
    candidate = attempt.ctx.candidate(reply, index=attempt.index)
    if unanswered:
        attempt.ctx.count_unreadable(reply, "it asks for another round, and there is none")
        candidate = replace(candidate, answer=None)
    return candidate.noted("calls", attempt.board.note()).noted("rounds", rounds)
