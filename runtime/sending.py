"""One request on its way: reserved, limited, sent, metered, settled; again if that can help."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace

from ..backends.base import Piece, Request
from ..compiler.errors import (
    BackendError,
    BudgetExhausted,
    RateLimited,
    ServerFailed,
    TimedOut,
    Unreachable,
)
from ..compiler.op import Reply
from ..compiler.values import Json, Usage
from .beside import Gathered, dumped
from .fitting import fitted
from .hedge import hedged
from .ledger import Reservation
from .questions import digest
from .state import StepState

__all__ = ["Sending"]

_NONE = Usage()
_DEAD = (Unreachable, ServerFailed, TimedOut)
"""What opens a circuit."""


class Sending:
    """A request, what was received of it and what it spent so far, over all its attempts.

    The prompt is charged to the first of its draws, whichever finishes first. Attempts that fail,
    losers of a hedge and what was cancelled are charged with what they had received.
    """

    # The texts and tokens by draw are plain dictionaries of plain values: the garbage collector
    # leaves them alone.
    __slots__ = (
        "_cached",
        "_deliver",
        "_first",
        "_gathered",
        "_lead",
        "_model",
        "_others",
        "_parts",
        "_place",
        "_prompt",
        "_reply",
        "_request",
        "_run",
        "_sent",
        "_step",
        "_tell",
        "_texts",
        "_tokens",
        "_told",
        "_usage",
    )

    def __init__(
        self,
        state: StepState,
        place: int | None,
        request: Request,
        deliver: Callable[[Reply], None] | None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """`deliver` is told of every draw as it finishes; `tell`, for a request of one draw, of
        each part of its text as it comes."""
        draws = [draw.index for draw in request.draws]
        self._run = state.run
        self._step = state
        self._place = place
        self._request = request
        self._deliver = deliver
        self._tell = tell
        self._told = False
        self._parts: list[Json] = []
        self._model = state.run.models[request.model]
        self._first = self._lead = draws[0]
        self._texts = dict.fromkeys(draws, "")
        self._tokens = dict.fromkeys(draws, 0)
        self._prompt = 0
        self._cached = 0
        self._usage = _NONE
        self._gathered: Gathered | None = None
        self._others: list[str] | None = None
        self._sent: float | None = None
        self._reply: Reply | None = None

    async def reply(self) -> Reply:
        """See the request through; the reply of its first draw.

        Raises `BackendError` once neither another attempt nor a fallback model can help, and
        `BudgetExhausted`.
        """
        attempt = 0
        while self._reply is None or self._texts:
            try:
                if self._step.ledger.timed:
                    async with self._step.ledger.in_time():
                        await self._attempt()
                else:
                    await self._attempt()
            except BackendError as error:
                attempt = await self._recover(error, attempt)
        return self._reply

    async def _attempt(self) -> None:
        model, step, run = self._model, self._step, self._run
        self._sent = None
        reserved = await self._reserve() if step.ledger.limited else None
        try:
            if model.rates is not None:
                await model.rates.enter(self._bound().tokens)
            if not model.limit.enter():
                await model.limit.wait(run.paths.remaining(step.name))
            try:
                if model.circuit.open:
                    model.circuit.check()
                self._sent = sent = run.now()
                self._asked()
                if model.patient:
                    pieces = model.backend.generate(self._request)
                    try:
                        async for piece in pieces:
                            self._take(piece)
                    except BaseException:
                        await pieces.aclose()
                        raise
                else:
                    await self._impatient()
                if self._texts:
                    raise ServerFailed(f"{model.name} ended without finishing every draw")
                seconds = run.now() - sent
                model.answered(seconds)
                run.paths.learn(step.name, seconds)
                if model.curious:
                    await model.look()
            except asyncio.CancelledError:
                self._cancelled()
                raise
            finally:
                model.limit.leave()
        finally:
            self._settle(reserved)

    def _cancelled(self) -> None:
        """The request is given up on: a prompt that was sent is charged, told or not."""
        self._model.circuit.undecided()
        if not self._prompt:
            text = sum(len(message.text) for message in self._request.messages)
            self._prompt = round(text / self._model.info.chars_per_token)
        if self._told and self._first in self._texts:
            self._step.emit(
                "abandoned",
                self._at,
                {
                    "ask": self._first,
                    "turn": self._request.turn,
                    "prompt": self._prompt,
                    "cached": self._cached,
                    "text": self._texts[self._first],
                    "parts": self._parts,
                },
            )

    async def _reserve(self) -> Reservation:
        """Set the request's upper bound aside."""
        reserved = self._bound()
        await self._step.ledger.reserve(reserved)
        return reserved

    def _bound(self) -> Reservation:
        request, model = self._request, self._model
        prompt = model.backend.prompt_tokens(request)
        calls = len(request.draws)
        completion = calls * request.most
        return Reservation(calls, prompt + completion, model.price.usd(prompt, completion))

    async def _impatient(self) -> None:
        """Receive the pieces within the model's time, hedged if it says so."""
        model = self._model
        try:
            async with asyncio.timeout(model.timeout):
                if model.hedge_after is not None and len(self._texts) == 1 and not self._tell:
                    await self._hedged(model.hedge_after)
                    return
                async with aclosing(model.backend.generate(self._request)) as pieces:
                    async for piece in pieces:
                        self._take(piece)
        except TimeoutError as late:
            raise TimedOut(f"{model.name} gave no reply within {model.timeout:g} s") from late

    async def _hedged(self, after: float) -> None:
        model, ledger = self._model, self._step.ledger
        reserved: Reservation | None = None

        def ask() -> AsyncGenerator[Piece, None]:
            return model.backend.generate(self._request)

        def again() -> bool:
            nonlocal reserved
            if ledger.limited:
                wanted = self._bound()
                if not ledger.try_reserve(wanted):
                    return False
                reserved = wanted
            self._step.emit("hedged", self._at, {"model": model.name})
            return True

        try:
            await hedged(ask, after, again, self._take, self._lost)
        finally:
            if reserved is not None:
                ledger.settle(reserved, _NONE)

    def _lost(self, pieces: Sequence[Piece]) -> None:
        """Charge what came of a request that another overtook."""
        prompt = sum(piece.prompt_tokens for piece in pieces)
        cached = sum(piece.cached_tokens for piece in pieces)
        completion = sum(piece.completion_tokens for piece in pieces)
        usd = self._model.price.usd(prompt, completion, cached)
        self._charge(self._lead, Usage(1, prompt, cached, completion, usd))

    def _take(self, piece: Piece) -> None:
        """Count a piece; deliver the reply, if it finishes a draw."""
        index = piece.draw
        if piece.prompt_tokens:
            self._prompt += piece.prompt_tokens
            self._cached += piece.cached_tokens
        self._tokens[index] += piece.completion_tokens
        if piece.text:
            self._texts[index] += piece.text
            if (watching := self._run.watching) is not None:
                watching(self._step.name, index if self._place is None else self._place, piece.text)
            if self._tell is not None:
                self._told = True
                after = self._run.now() - (self._sent or 0.0)
                self._parts.append([after, len(piece.text), self._tokens[index]])
                self._tell(piece.text)
        if (
            piece.reasoning
            or piece.logprobs
            or piece.prompt_logprobs
            or piece.calls
            or piece.values
        ):
            if self._gathered is None:
                self._gathered = Gathered()
            self._gathered.take(piece)
        if not piece.finish:
            return
        seconds = self._run.now() - (self._sent or 0.0)
        spent = self._charge(index, self._spent(index, seconds, piece.usd))
        reply = Reply(index, self._texts.pop(index), self._model.name, piece.finish, spent)
        place = index if self._place is None else self._place
        told: dict[str, Json] = {
            "ask": index,
            "turn": self._request.turn,
            "model": reply.model,
            "prompt": spent.prompt_tokens,
            "cached": spent.cached_tokens,
            "tokens": spent.completion_tokens,
            "usd": spent.usd,
            "seconds": seconds,
            "finish": piece.finish,
            "text": reply.text,
        }
        if self._gathered is not None:
            reply = replace(reply, **self._gathered.end(index))
            told |= dumped(reply)
        if self._parts:
            told["parts"] = self._parts
        self._step.emit("drew", place, told)
        if index == self._first:
            self._reply = reply
        if self._deliver is not None:
            self._deliver(reply)

    def _asked(self) -> None:
        request = self._request
        self._step.emit(
            "asked",
            self._at,
            {
                "model": self._model.name,
                "draws": len(request.draws),
                "ask": request.draws[0].index,
                "turn": request.turn,
                "role": request.purpose.role,
                "digest": digest(request.messages) if self._run.bus.listened else 0,
            },
        )

    @property
    def _at(self) -> int:
        """The place that events of the request as a whole belong to."""
        return self._request.draws[0].index if self._place is None else self._place

    def _spent(self, index: int, seconds: float, told: float | None = None) -> Usage:
        tokens = self._tokens[index]
        prompt, cached = (self._prompt, self._cached) if index == self._lead else (0, 0)
        usd = self._model.price.usd(prompt, tokens, cached) if told is None else told
        return Usage(1, prompt, cached, tokens, usd, seconds)

    def _charge(self, index: int, spent: Usage) -> Usage:
        self._usage = self._usage + spent if self._usage.calls else spent
        self._step.charge(index if self._place is None else self._place, spent)
        return spent

    def _settle(self, reserved: Reservation | None) -> None:
        """Charge what an attempt left unfinished, and give back what it had reserved."""
        if self._sent is not None:
            for index in self._texts:
                self._charge(index, self._spent(index, 0.0))
                self._texts[index] = ""
                self._tokens[index] = 0
        self._gathered = None
        self._prompt = self._cached = 0
        self._step.ledger.settle(reserved, self._usage)
        self._usage = _NONE

    async def _recover(self, error: BackendError, attempt: int) -> int:
        """Wait for the next attempt, or turn to the next fallback model; its number. Raises `error`
        if nothing is left to try."""
        model, run = self._model, self._run
        model.failed(error, self._sent, dead=isinstance(error, _DEAD))
        if self._told:
            raise error  # what was read of it cannot be taken back
        wait = self._pause(error, attempt)
        if wait is not None:
            self._step.emit(
                "retried",
                self._at,
                {"model": model.name, "why": str(error), "seconds": wait},
            )
            await self._rest(wait)
            # What a circuit kept back was not an attempt.
            attempt += self._sent is not None
        elif isinstance(error, (*_DEAD, RateLimited)) and (other := self._other()):
            self._model = run.models[other]
            self._step.emit(
                "fell back",
                self._at,
                {"model": model.name, "why": str(error), "instead": self._model.name},
            )
            attempt = 0
        else:
            raise error
        left = tuple(draw for draw in self._request.draws if draw.index in self._texts)
        request = replace(self._request, draws=left)
        if optional := self._step.wiring.optional:
            request = fitted(request, self._model.info.capabilities, optional)
        self._request = request
        self._lead = left[0].index
        return attempt

    def _pause(self, error: BackendError, attempt: int) -> float | None:
        """Seconds until the model is asked again, at least; None to give it up: once it failed too
        often, and while its circuit is open if another is left or it never answered."""
        model, circuit = self._model, self._model.circuit
        if circuit.open and self._sent is None and error.retryable:
            wait: float | None = 0.0
        else:
            wait = model.retry.wait(error, attempt, self._run.jitter)
        if wait is not None and circuit.open:
            hopeless = not circuit.answered or circuit.trials >= model.retry.times
            if self._left or hopeless:
                return None
            wait = max(wait, circuit.left)
        deadline = self._step.ledger.due()
        if wait is None or deadline is None:
            return wait
        return None if self._run.now() + wait > deadline else wait

    async def _rest(self, seconds: float) -> None:
        """Wait so long, and for a trial of the model's circuit, but no longer than the step has
        time."""
        with suppress(BudgetExhausted):
            async with self._step.ledger.in_time():
                await asyncio.sleep(seconds)
                await self._model.circuit.told()

    def _other(self) -> str | None:
        """The next model to ask instead, of those that were not asked yet."""
        return self._left.pop(0) if self._left else None

    @property
    def _left(self) -> list[str]:
        """The models that may be asked instead, and were not yet."""
        if self._others is None:
            self._others = list(self._run.models.instead(self._request.model))
        return self._others
