"""Run a recorded question on: what is asked in the recorded words is answered as it was then, and
models are asked what they were not.

A replay cannot say what an edit leads to where later steps ask about what was edited: nobody knows
what a model would have said. Here it is asked. Nothing is as fast as then: recorded replies come at
once, and times mean nothing. Tools are not called; what they gave stands in the trace.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from ...backends.base import Backend, Draw, Piece, Request
from ...compiler.errors import InputError
from ...compiler.model import Price
from ...compiler.plan import Plan
from ...compiler.registry import model_info
from ...compiler.values import Usage
from ..events import Listener
from ..ledger import Ledger, Reservation
from ..questions import restored
from ..result import Result
from ..session import Session
from .outline import Run
from .replay import Edit, Recorded, Reply
from .retold import Retold

__all__ = ["Continued", "go_on"]


class Continued(Backend):
    """A model that says again what it said in a recorded run, and is asked for anything else.

    What asking costs is reserved in and charged to `account`; what was recorded costs the run what
    it did then, and the account nothing. With `prefixed`, an edited reply is one that the model
    goes on from.
    """

    repeatable = False

    def __init__(
        self, told: Recorded, live: Backend, price: Price, account: Ledger, *, prefixed: bool
    ) -> None:
        self._told = told
        self._live = live
        self._price = price
        self._account = account
        self._prefixed = prefixed

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Recorded replies at once, then what the model says. Raises `BackendError`, and
        `BudgetExhausted` where the account does not hold what is to be asked."""
        asked: list[tuple[tuple[Draw, ...], str]] = []
        unknown: list[Draw] = []
        for draw in request.draws:
            found = self._told.find(request, draw)
            if isinstance(found, str):
                unknown.append(draw)
            elif found.edit is not None and self._prefixed:
                asked.append(((draw,), found.edit.text))
            else:
                yield _said(draw, found)
        if unknown:
            asked.append((tuple(unknown), ""))
        for draws, prefix in asked:
            wanted = replace(request, draws=draws, prefix=prefix or request.prefix)
            async with aclosing(self._asked(wanted)) as pieces:
                if prefix:
                    yield Piece(draws[0].index, prefix)
                async for piece in pieces:
                    yield piece

    def prompt_tokens(self, request: Request) -> int:
        """As the model counts them."""
        return self._live.prompt_tokens(request)

    async def aclose(self) -> None:
        """The model is the caller's to close."""

    async def _asked(self, request: Request) -> AsyncGenerator[Piece, None]:
        """What the model says, paid for."""
        count, most = len(request.draws), len(request.draws) * request.most
        long = self._live.prompt_tokens(request)
        held = Reservation(count, long + most, self._price.usd(long, most))
        await self._account.reserve(held)
        prompt = completion = 0
        try:
            async with aclosing(self._live.generate(request)) as pieces:
                async for piece in pieces:
                    prompt += piece.prompt_tokens
                    completion += piece.completion_tokens
                    yield piece
        finally:
            usd = self._price.usd(prompt, completion)
            spent = Usage(count, prompt, completion_tokens=completion, usd=usd)
            self._account.settle(held, spent)


def _said(draw: Draw, reply: Reply) -> Piece:
    if reply.edit is not None:
        return Piece(draw.index, reply.edit.text, completion_tokens=1, finish="stop")
    drawn = reply.drawn
    assert drawn is not None
    return Piece(
        draw.index,
        drawn.text,
        drawn.prompt,
        drawn.cached,
        drawn.tokens,
        drawn.finish or "stop",
        **drawn.extras,
    )


async def go_on(
    plan: Plan,
    run: Run,
    models: Mapping[str, Backend],
    account: Ledger,
    edits: Sequence[Edit] = (),
    *,
    prefixed: bool = False,
    moved: bool = False,
    listeners: Iterable[Listener] = (),
) -> Result:
    """Run one question of a trace again with replies changed, and ask `models` what follows.

    `models` are open backends by the names in the plan, which stay the caller's to close. With
    `prefixed` the model goes on from the text of an edit, else that is the whole reply; `moved` is
    as in `rerun`. Raises `InputError` for an edit of what is not there and a model that is not
    open, `BudgetExhausted` of the account, and what the run raises.
    """
    told = Recorded(plan, run, edits, moved=moved)
    specs = plan.graph.models
    if missing := [name for name in specs if name not in models]:
        raise InputError(f"no model was opened for {missing[0]!r}")
    backends = {
        name: Continued(
            told,
            models[name],
            spec.price.price() if spec.price else model_info(spec).price,
            account,
            prefixed=prefixed,
        )
        for name, spec in specs.items()
    }
    session = Session(
        replace(plan, graph=replace(plan.graph, budgets={})),
        backends=backends,
        listeners=listeners,
        tools=Retold(run, told),
    )
    async with session:
        result = await session.ask(restored(run.question, run.id), seed=run.seed)
    told.check(None)
    return result
