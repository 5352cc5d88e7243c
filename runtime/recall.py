"""Replies that need not be asked for: from the journal of this batch, or from the cache.

What a journal holds was paid for by this very batch, so it is charged as it was; what a cache holds
costs nothing and is counted apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from ..backends.base import Draw, Request
from ..compiler.op import Reply
from ..compiler.values import Json, Usage
from .beside import Beside, Extras, dumped
from .cache import Give
from .cachekey import key_seed
from .questions import digest
from .sending import Sending
from .state import StepState
from .store import Store
from .stored import Stored

__all__ = ["through"]


async def through(
    state: StepState,
    place: int | None,
    request: Request,
    deliver: Callable[[Reply], None] | None,
    stores: tuple[Store, ...],
    tell: Callable[[str], None] | None = None,
) -> Reply:
    """The reply of a request's first draw; each draw comes from the first store that has it, or is
    asked for and kept in all of them. Every draw is delivered as it comes; of one draw, `tell` is
    told each part of the text as it comes, or the whole of one that was kept."""
    model, seed = state.run.models[request.model], state.run.seed
    key = stores[0].cache.key(model.key, request, seed) if stores and model.cached else None
    if key is None:
        return await Sending(state, place, request, deliver, tell).reply()
    return await _Recalling(state, place, request, deliver, stores, tell).reply(key)


class _Recalling:
    """One request on its way through the first of some stores."""

    def __init__(
        self,
        state: StepState,
        place: int | None,
        request: Request,
        deliver: Callable[[Reply], None] | None,
        stores: tuple[Store, ...],
        tell: Callable[[str], None] | None,
    ) -> None:
        self._state = state
        self._place = place
        self._request = request
        self._deliver = deliver
        self._tell = tell
        self._store, *self._others = stores
        self._lead = request.draws[0].index
        self._first: Reply | None = None

    async def reply(self, key: bytes) -> Reply:
        """The reply of the first draw, once every draw was delivered."""
        draws = self._request.draws
        if self._store.paid:
            key = self._own(key)
        else:
            # Seeds that depend on the request alone: who asks first decides nothing.
            draws = tuple(Draw(d.index, d.number, key_seed(key, d.number)) for d in draws)
        await self._store.cache.fetch(key, draws, self._give, self._ask)
        assert self._first is not None
        return self._first

    def _own(self, key: bytes) -> bytes:
        """The key of this request, of whoever asks it here, alone: in a journal nobody has the
        reply to another's."""
        asker = f"{self._state.name}\x1f{self._request.question}\x1f{self._place}"
        return sha256(key + asker.encode(errors="surrogatepass")).digest()

    def _give(self, draw: Draw, kept: Stored) -> None:
        """A draw that was kept."""
        model, step = self._state.run.models[self._request.model], self._state
        usage = Usage(hits=1)
        if self._store.paid:
            prompt, cached, completion = (
                kept.prompt_tokens,
                kept.cached_tokens,
                kept.completion_tokens,
            )
            usd = model.price.usd(prompt, completion, cached)
            usage = Usage(1, prompt, cached, completion, usd)
        place = draw.index if self._place is None else self._place
        step.charge(place, usage)
        step.ledger.settle(None, usage)
        told: dict[str, Json] = {
            "ask": draw.index,
            "turn": self._request.turn,
            "model": model.name,
            "prompt": kept.prompt_tokens,
            "cached": kept.cached_tokens,
            "tokens": kept.completion_tokens,
            "finish": kept.finish,
            "text": kept.text,
            "digest": digest(self._request.messages) if step.run.bus.listened else 0,
        }
        beside = dumped(kept)
        told |= beside
        step.emit("recalled", place, told)
        if self._tell is not None and kept.text:
            self._tell(kept.text)
        reply = Reply(draw.index, kept.text, model.name, kept.finish, usage)
        self._got(replace(reply, **_beside(kept)) if beside else reply)

    async def _ask(self, draws: tuple[Draw, ...], arrived: Give) -> None:
        """Ask the next store, or the model, for what this one does not have."""
        drawn = {draw.index: draw for draw in draws}
        name = self._request.model

        def each(reply: Reply) -> None:
            self._got(reply)
            if reply.model == name:  # what a fallback model said is no reply of this one
                arrived(drawn[reply.index], _stored(reply))

        request = replace(self._request, draws=draws)
        others = tuple(self._others)
        await through(self._state, self._place, request, each, others, self._tell)

    def _got(self, reply: Reply) -> None:
        if reply.index == self._lead:
            self._first = reply
        if self._deliver is not None:
            self._deliver(reply)


def _stored(reply: Reply) -> Stored:
    usage = reply.usage
    return Stored(
        reply.text,
        reply.finish,
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.completion_tokens,
        **_beside(reply),
    )


def _beside(reply: Beside) -> Extras:
    return Extras(
        reasoning=reply.reasoning,
        logprobs=reply.logprobs,
        prompt_logprobs=reply.prompt_logprobs,
        calls=reply.calls,
        values=reply.values,
    )
