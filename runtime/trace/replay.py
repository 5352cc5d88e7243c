"""Run a pipeline again from its trace: the same requests, the recorded replies, no model.

A replay happens in virtual time, with the latencies that were recorded: it takes no longer than the
operators' own work, and its times are the recorded ones. A reply is found by step, place, ask and
turn, and only if the prompt that asks for it is the recorded one. A request without such a reply is
never sent anywhere: it stays open, as one that was cancelled did, until nothing else can happen;
if the run cannot do without it, that is `NotRecorded`.

So an edit is honest. One changed reply changes what the steps after it compute, and what they ask.
Steps that ask nothing (vote, select, …) are computed anew; so is everything that was asked in the
same words. A request whose prompt differs from the recorded one has no reply, for nobody knows what
the model would have said, unless an edit gives that reply, too. What early stopping leaves unread
needs none. What a cache or a journal gave then, the trace gives now, as a call of no tokens. What a
budget did not reach then, it does not reach now. Tools are not called: what they gave stands in
the trace as well.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import NoReturn

from ...backends.base import Backend, Draw, Piece, Request
from ...compiler.errors import (
    BackendError,
    BudgetExhausted,
    InputError,
    NotRecorded,
    PolyarchError,
    RateLimited,
)
from ...compiler.names import nearest
from ...compiler.op import Each, Source
from ...compiler.plan import Plan
from ..events import Listener
from ..questions import digest, restored
from ..result import Result
from ..seeds import derive, numbered
from ..session import Session
from ..virtual import run as in_virtual_time
from .outline import Abandoned, Asked, Drawn, Recalled, Run, outline
from .plan import rebuilt
from .read import Trace
from .retold import Retold

__all__ = ["Edit", "Recorded", "Reply", "edit", "replay", "rerun"]

_PATIENCE = 1e-3
"""Virtual seconds that everything else gets before what is missing is told."""

_UNBOUNDED = 1 << 20

_SHOWN = 5
"""Names that an error lists."""

_SEARCHED = 4096
"""Places among which that of an unknown request is looked for."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A reply to be changed: of a step, and as far as needed of a place, an ask and a turn."""

    step: str
    numbers: tuple[int, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.step}[{':'.join(map(str, self.numbers))}]" if self.numbers else self.step


_EDIT = re.compile(r"(?P<step>[^\[\]=]+?)(\[(?P<numbers>\d+(:\d+){0,2})\])?=(?P<text>.*)", re.S)


def edit(written: str) -> Edit:
    """An edit as the command line writes it: `STEP=TEXT`, `STEP[PLACE]=TEXT`,
    `STEP[PLACE:ASK]=TEXT` or `STEP[PLACE:ASK:TURN]=TEXT`. Raises `InputError`.

    >>> edit("drafts[3]=the answer is 4")
    Edit(step='drafts', numbers=(3,), text='the answer is 4')
    """
    found = _EDIT.fullmatch(written)
    if found is None:
        raise InputError(f"an edit is written STEP[PLACE]=TEXT, not {written!r}")
    numbers = tuple(int(number) for number in (found["numbers"] or "").split(":") if number)
    return Edit(found["step"].strip(), numbers, found["text"])


def replay(
    trace: Trace,
    edits: Sequence[Edit] = (),
    *,
    question: str | None = None,
    listeners: Iterable[Listener] = (),
    plan: Plan | None = None,
) -> list[Result]:
    """Run the questions of a trace again, one after the other, with no model.

    `question` chooses one by its id; edits are of one question. `plan` is the trace's own, if it
    was built already.
    Raises `InputError` for an edit of what is not there, `NotRecorded` for a reply that is needed
    and not recorded, `VersionMismatch`, and what the run raises.
    """
    runs = [run for run in outline(trace.events) if question in (None, run.id)]
    if not runs:
        raise InputError(
            "the trace holds no question" + ("" if question is None else f" {question!r}")
        )
    if edits and len(runs) > 1:
        raise InputError(
            f"the trace holds {len(runs)} questions; say which one is edited: "
            f"{', '.join(repr(run.id) for run in runs[:5])}{', …' if len(runs) > 5 else ''}"
        )
    if plan is None:
        plan = rebuilt(trace.header.plan, trace.header.polyarch)
    return [rerun(plan, run, edits, listeners) for run in runs]


def rerun(
    plan: Plan,
    run: Run,
    edits: Sequence[Edit] = (),
    listeners: Iterable[Listener] = (),
    *,
    moved: bool = False,
) -> Result:
    """Run one question of a trace again; what `replay` says holds.

    `plan` may be another than the recorded one, where steps of the same names find their replies.
    With `moved`, steps on single candidates find those to the same prompt at another place, too:
    a plan with less in it moves what follows. Raises as `replay` does.
    """
    # Which request a spent budget did not reach is recorded; a ledger would decide it anew, by
    # which of several replies at the same instant comes first.
    graph = replace(plan.graph, budgets={})
    told = Recorded(plan, run, edits, moved=moved)
    heard = tuple(listeners)
    if told.spent:
        # What was never sent must not hold a slot that what was lost is waiting for.
        free = {"concurrency": _UNBOUNDED}
        models = {name: spec.model_copy(update=free) for name, spec in graph.models.items()}
        graph = replace(graph, models=models)
    plan = replace(plan, graph=graph)
    asked = restored(run.question, run.id)

    async def main() -> Result:
        backends = {name: _Voice(name, told) for name in plan.graph.models}
        async with Session(
            plan, backends=backends, listeners=heard, tools=Retold(run, told)
        ) as session:
            return await session.ask(asked, seed=run.seed)

    try:
        result = in_virtual_time(main())
    except PolyarchError as error:
        told.check(error)
        raise
    told.check(None)
    return result


@dataclass(slots=True)
class Reply:
    """A draw that was asked for: where, when first, by which prompt, and what came."""

    step: str
    place: int
    ask: int
    turn: int
    at: float
    digest: int | None
    model: str = ""
    """Who was asked last."""
    drawn: Drawn | None = None
    abandoned: Abandoned | None = None
    edit: Edit | None = None

    def __str__(self) -> str:
        return f"{self.step}[{self.place}:{self.ask}:{self.turn}]"


class Recorded:
    """The replies of one run, some of them edited, by the seeds of their draws: those derive from
    the run's seed, question, step, place, ask and turn alone."""

    def __init__(
        self, plan: Plan, run: Run, edits: Sequence[Edit] = (), *, moved: bool = False
    ) -> None:
        """`moved` as in `rerun`. Raises `InputError` for an edit of no step, or of more than one
        reply."""
        self._may_move = moved
        root = derive(run.seed, run.id)
        self.due = run.ended - run.began
        """The virtual time at which nothing more will come."""
        self._stuck = False
        self._waiting: dict[int, str] = {}
        """What is asked and has no reply, by seed: which, and why."""
        self._seeds = {name: derive(root, name) for name in plan.graph.nodes}
        self._each = {n.name for n in plan.graph.nodes.values() if isinstance(n.op, Each)}
        self._sources = {n.name for n in plan.graph.nodes.values() if isinstance(n.op, Source)}
        self._lost = {
            (event.step, event.place): event
            for stage in run.stages.values()
            for event in stage.other
            if event.what == "lost"
        }
        self._why = run.why
        self._replies: dict[int, Reply] = {}
        for stage in run.stages.values():
            if stage.name not in self._seeds:
                continue
            for asked in stage.asked:
                self._ask(asked)
            for kept in stage.recalled:
                self._recall(stage.name, kept)
        self._found: dict[int, Reply] = {}
        self._given: set[int] = set()
        """The replies that were given, by their own seeds."""
        self._edits = [self._edited(one) for one in edits]
        self._used: set[int] = set()

    @property
    def spent(self) -> bool:
        """Whether a budget ended before the run did."""
        codes = {event.data.get("code") for event in self._lost.values()}
        return BudgetExhausted.code in codes

    def find(self, request: Request, draw: Draw) -> Reply | str:
        """The reply to a draw, or why there is none."""
        if (known := self._found.get(draw.seed)) is not None:
            return known
        found, seed = self._own(request, draw), draw.seed
        if not self._may_move:
            return found
        if isinstance(found, str) or seed in self._given:
            moved = self._moved(request)
            if moved is None:
                why = f"{found} was given to another place that asks the same"
                return found if isinstance(found, str) else why
            found, seed = self._replies[moved], moved
        self._found[draw.seed] = found
        self._given.add(seed)
        return found

    def _own(self, request: Request, draw: Draw) -> Reply | str:
        """The reply to a draw at its own place, or why there is none."""
        reply = self._replies.get(draw.seed)
        if reply is None:
            return f"{self._named(request, draw)} was not asked in the recorded run"
        if reply.edit is not None:
            self._used.add(draw.seed)
        elif reply.drawn is None and reply.abandoned is None:
            return f"{reply} was asked in the recorded run, and not answered"
        elif reply.digest not in (None, digest(request.messages)):
            why = "" if self._edits else ": this polyarch words it otherwise, or it was redacted"
            return f"{reply} is asked with another prompt than the recorded one{why}"
        return reply

    def _moved(self, request: Request) -> int | None:
        """The first reply to these words at another place that was not given yet, by its seed.

        A step before that drops or keeps other candidates than it did moves all that follow.
        """
        if request.step not in self._each:
            return None
        told = digest(request.messages)
        same = (
            (reply.place, reply.ask, seed)
            for seed, reply in self._replies.items()
            if reply.step == request.step
            and reply.digest == told
            and reply.turn == request.turn
            and reply.drawn is not None
            and reply.edit is None
            and seed not in self._given
        )
        return min(same, default=(0, 0, None))[2]

    def elsewhere(self, draw: Draw, model: str) -> bool:
        """Whether another model was turned to for this draw."""
        reply = self._found.get(draw.seed) or self._replies.get(draw.seed)
        return reply is not None and reply.edit is None and reply.model not in ("", model)

    async def lose(self, request: Request, draw: Draw) -> None:
        """If the recorded run went on without this draw, fail when and as it did then.

        Raises `BackendError`, `BudgetExhausted`.
        """
        reply = self._replies.get(draw.seed) or self._named(request, draw)
        several = request.step in self._each or request.step in self._sources
        place = reply.place if several else 0
        if (lost := self._lost.get((request.step, place))) is None:
            return
        await asyncio.sleep(max(0.0, lost.at - reply.at) if reply.at >= 0 else 0.0)
        await self.lose_step(request.step, place)

    async def lose_step(self, step: str, place: int) -> None:
        """If the recorded run went on without this place, fail as it did then.

        Raises `BackendError`, `BudgetExhausted`.
        """
        lost = self._lost.get((step, place))
        if lost is None:
            return
        why = str(lost.data.get("why", ""))
        if lost.data.get("code") == BudgetExhausted.code:
            raise BudgetExhausted(why, best=True)
        raise BackendError(why)

    async def wait(self, seed: int, why: str) -> NoReturn:
        """Wait for a reply that nobody knows: until cancelled, or nothing else can happen.

        Raises `NotRecorded`.
        """
        self._waiting[seed] = why
        now = asyncio.get_running_loop().time
        try:
            while (left := self.due - now()) >= 0:  # noqa: ASYNC110
                # Not for an event: the point is that none comes.
                await asyncio.sleep(left + _PATIENCE)
        except asyncio.CancelledError:
            if not self._stuck:
                del self._waiting[seed]
            raise
        self._stuck = True
        raise NotRecorded(why)

    def check(self, error: PolyarchError | None) -> None:
        """Raise what was missing, or which edit was of nothing."""
        if self._stuck:
            missing = sorted(self._waiting.values())
            more = f"\n  and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            failed = f"\nthe recorded run failed: {self._why}" if self._why else ""
            raise NotRecorded(
                "the trace does not hold what the run needs\n  "
                + "\n  ".join(missing[:_SHOWN])
                + more
                + failed
                + "\ngive such a reply with --edit 'STEP[PLACE:ASK:TURN]=TEXT'"
            ) from error
        if error is None:
            for seed, one in self._edits:
                if seed not in self._used and self._replies[seed].at < 0:
                    raise InputError(f"nothing is asked by the name of {one}")

    def _ask(self, asked: Asked) -> None:
        """Take a request in, its draws and their replies."""
        each = asked.step in self._each
        drawn = {one.ask: one for one in asked.drawn}
        for ask in range(asked.ask, asked.ask + asked.draws):
            place = asked.place if each else asked.place + ask - asked.ask
            reply = Reply(asked.step, place, ask, asked.turn, asked.at, asked.digest)
            known = self._replies.setdefault(self._seed(reply), reply)
            known.drawn = drawn.get(ask, known.drawn)
            known.abandoned = asked.abandoned
            known.model = asked.model if known.drawn is None else known.drawn.model

    def _recall(self, step: str, kept: Recalled) -> None:
        """Take in a reply that was not asked for then, since a cache or journal had it."""
        drawn = kept.drawn
        reply = Reply(step, drawn.place, drawn.ask, drawn.turn, drawn.at, kept.digest)
        reply.drawn, reply.model = drawn, drawn.model
        self._replies.setdefault(self._seed(reply), reply)

    def _seed(self, reply: Reply) -> int:
        place = reply.place if reply.step in self._each else 0
        return numbered(self._seeds[reply.step], place, reply.ask, reply.turn)

    def _edited(self, one: Edit) -> tuple[int, Edit]:
        if one.step not in self._seeds:
            raise InputError(f"no step {one.step!r}; {nearest(one.step, self._seeds)}")
        meant = [
            (seed, reply)
            for seed, reply in self._replies.items()
            if reply.step == one.step
            and (reply.place, reply.ask, reply.turn)[: len(one.numbers)] == one.numbers
        ]
        if len(one.numbers) < 3:
            meant = [(seed, reply) for seed, reply in meant if reply.turn == 0]
        if len(meant) > 1:
            some = ", ".join(str(reply) for _, reply in meant[:_SHOWN])
            raise InputError(f"{one} is more than one reply: {some}{', …' * (len(meant) > _SHOWN)}")
        if not meant:
            meant = [self._unheard(one)]
        seed, reply = meant[0]
        reply.edit = one
        return seed, one

    def _unheard(self, one: Edit) -> tuple[int, Reply]:
        """A place for a reply that was never asked for, and may be now."""
        if not one.numbers:
            raise InputError(f"step {one.step!r} asked nothing; say which reply is meant")
        place, *rest = one.numbers
        ask, turn = (*rest, 0)[:2] if rest else (place, 0)
        reply = Reply(one.step, place, ask, turn, -1.0, None)
        seed = self._seed(reply)
        self._replies[seed] = reply
        return seed, reply

    def _named(self, request: Request, draw: Draw) -> Reply:
        """A draw that is not in the trace, by the name that an edit would give it."""
        places = range(_SEARCHED) if request.step in self._each else (draw.index,)
        for place in places:
            reply = Reply(request.step, place, draw.index, request.turn, -1.0, None)
            if self._seed(reply) == draw.seed:
                return reply
        return Reply(request.step, -1, draw.index, request.turn, -1.0, None)


class _Voice(Backend):
    """One model of a recorded run."""

    def __init__(self, name: str, told: Recorded) -> None:
        self._name = name
        self._told = told

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """The recorded replies, each as long after the request as it came.

        Raises `RateLimited` for what another model answered in this one's place.
        """
        told, now = self._told, asyncio.get_running_loop().time
        found = [(draw, told.find(request, draw)) for draw in request.draws]
        known = [(draw, reply) for draw, reply in found if isinstance(reply, Reply)]
        known.sort(key=lambda one: _seconds(one[1]))
        mine = [one for one in known if not told.elsewhere(one[0], self._name)]
        start = now()
        told.due = max([told.due, *(start + _seconds(reply) for _, reply in mine)])
        drawn = [one for _, reply in mine if (one := reply.drawn or reply.abandoned) is not None]
        yield Piece(
            request.draws[0].index,
            prompt_tokens=sum(one.prompt for one in drawn),
            cached_tokens=sum(one.cached for one in drawn),
        )
        for draw, reply in mine:
            async with aclosing(_parts(draw, reply, start)) as parts:
                async for piece in parts:
                    yield piece
            if reply.drawn is None and reply.edit is None:
                await told.wait(draw.seed, f"{reply} was given up in the recorded run")
            await asyncio.sleep(max(0.0, start + _seconds(reply) - now()))
            yield _piece(draw, reply)
        if any(told.elsewhere(draw, self._name) for draw in request.draws):
            raise RateLimited("another model was asked instead, in the recorded run")
        for draw, why in found:
            if isinstance(why, str):
                await told.lose(request, draw)
                await told.wait(draw.seed, why)

    def prompt_tokens(self, request: Request) -> int:
        """As many as were recorded."""
        found = [self._told.find(request, draw) for draw in request.draws]
        drawn = [one.drawn for one in found if isinstance(one, Reply) and one.drawn is not None]
        return sum(one.prompt for one in drawn) if drawn else super().prompt_tokens(request)

    async def aclose(self) -> None:
        """There is nothing to release."""


def _seconds(reply: Reply) -> float:
    return 0.0 if reply.drawn is None else max(0.0, reply.drawn.at - reply.at)


async def _parts(draw: Draw, reply: Reply, start: float) -> AsyncGenerator[Piece, None]:
    """What was read of a recorded reply before its end, each part when it came."""
    told = reply.drawn or reply.abandoned
    if told is None or reply.edit is not None:
        return
    now, place, tokens = asyncio.get_running_loop().time, 0, 0
    for part in told.parts:
        await asyncio.sleep(max(0.0, start + part.after - now()))
        text = told.text[place : place + part.size]
        yield Piece(draw.index, text, completion_tokens=part.tokens - tokens)
        place, tokens = place + part.size, part.tokens


def _piece(draw: Draw, reply: Reply) -> Piece:
    """The end of a reply: all of it that did not come in parts."""
    drawn, edit = reply.drawn, reply.edit
    if edit is None:
        assert drawn is not None
        return Piece(
            draw.index,
            drawn.text[sum(part.size for part in drawn.parts) :],
            completion_tokens=drawn.tokens - (drawn.parts[-1].tokens if drawn.parts else 0),
            finish=drawn.finish or "stop",
            **drawn.extras,
        )
    # Nobody counted the tokens of an edited reply.
    tokens = max(1, len(edit.text) // 4) if drawn is None else drawn.tokens
    return Piece(draw.index, edit.text, completion_tokens=tokens, finish="stop")
