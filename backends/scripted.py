"""Replies from a function or from YAML, with latencies, faults and cancellation, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..compiler.errors import (
    BackendError,
    BadRequest,
    NotRecorded,
    RateLimited,
    ServerFailed,
    TimedOut,
    TooLong,
    Unauthorized,
    Unreachable,
)
from ..compiler.model import Capability, ModelInfo
from ..compiler.values import Json, TokenLogprob, ToolCall
from .base import Backend, Draw, Piece, Request, refuse_unoffered

__all__ = ["OFFERS", "Log", "Script", "Scripted", "info", "open_backend"]

OFFERS = frozenset(Capability)

_CHARS = 4
"""Characters in a scripted token."""

_FAULTS: Mapping[str, type[BackendError]] = {
    error.code: error
    for error in (
        BadRequest,
        RateLimited,
        ServerFailed,
        TimedOut,
        TooLong,
        Unauthorized,
        Unreachable,
    )
}


@dataclass(frozen=True, slots=True)
class Script:
    """One scripted reply: its text, how long it takes in seconds, or the fault it ends with; and
    whatever else a request may want, which a script must hold if it does."""

    text: str = ""
    latency: float = 0.0
    fault: BackendError | None = None
    finish: str = "stop"
    reasoning: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    prompt_logprobs: tuple[TokenLogprob, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    values: tuple[float, ...] = ()
    parts: tuple[tuple[float, str], ...] = ()
    """The text in parts, in place of `text`, each so many seconds after the one before it; a fault
    comes after the last. Never cut off."""


Reply: TypeAlias = Callable[[Request, Draw], "str | Script"]


@dataclass(slots=True)
class Log:
    """What a scripted backend saw. Counts are of draws, but for `requests`."""

    requests: int = 0
    asked: int = 0
    finished: int = 0
    cancelled: int = 0
    failed: int = 0
    under_way: int = 0
    most_under_way: int = 0
    seen: list[Request] = field(default_factory=list)
    """The requests, in the order they came, if the backend keeps them."""


class Scripted(Backend):
    """Replies from a function of request and draw, cut off at the request's stop strings and
    `max_tokens`. What a reply says besides its text is not cut.

    The latency of a draw is the script's own, else `latency`: seconds, or a function of request and
    draw. `log` counts what was asked, finished, cancelled and failed. A request for what is not
    among `offers` is a `BadRequest`.
    """

    def __init__(
        self,
        reply: Reply,
        *,
        latency: float | Callable[[Request, Draw], float] = 0.0,
        keep: bool = False,
        repeatable: bool = False,
        offers: frozenset[Capability] = OFFERS,
    ) -> None:
        """`keep` remembers every request in the log; `repeatable` says that replies depend on the
        prompt and the draw's number or seed alone, so that a cache may keep them."""
        self.repeatable = repeatable  # type: ignore[misc]
        self.log = Log()
        self._reply = reply
        self._latency = latency
        self._keep = keep
        self._offers = offers
        self._offers_all = offers == OFFERS

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Reply to each draw after its latency, the quickest first.

        Raises `BadRequest` where the request wants what the script does not hold.
        """
        if not self._offers_all:
            refuse_unoffered(f"scripted/{request.model}", self._offers, request)
        log, count = self.log, len(request.draws)
        log.requests += 1
        log.asked += count
        log.under_way += count
        log.most_under_way = max(log.most_under_way, log.under_way)
        if self._keep:
            log.seen.append(request)
        left = count
        try:
            prompt = sum(len(m.text) for m in request.messages) // _CHARS
            yield Piece(request.draws[0].index, prompt_tokens=prompt)
            waited, first = 0.0, True
            for latency, index, script in self._scripts(request):
                if latency > waited:
                    await asyncio.sleep(latency - waited)
                    waited = latency
                for pause, part in script.parts:
                    if pause:
                        await asyncio.sleep(pause)
                        waited += pause
                    yield Piece(index, part, completion_tokens=max(1, len(part) // _CHARS))
                left -= 1
                fault = script.fault or _lacking(request, script)
                if fault is not None:
                    log.failed += 1
                    raise fault
                log.finished += 1
                yield _piece(request, index, script, first=first)
                first = False
        finally:
            log.cancelled += left
            log.under_way -= count

    async def aclose(self) -> None:
        """There is nothing to release."""

    def _scripts(self, request: Request) -> list[tuple[float, int, Script]]:
        scripts = []
        for draw in request.draws:
            made = self._reply(request, draw)
            script = Script(made) if isinstance(made, str) else made
            latency = script.latency
            if not latency:
                given = self._latency
                latency = given(request, draw) if callable(given) else given
            scripts.append((latency, draw.index, script))
        if len(scripts) > 1:
            scripts.sort(key=lambda s: (s[0], s[1]))
        return scripts


def _piece(request: Request, index: int, script: Script, *, first: bool) -> Piece:
    """The whole reply, as far as the request lets it go."""
    if request.wants != "text":
        return Piece(index, finish="stop", values=script.values)
    text, finish = script.text, "tools" if script.calls else script.finish
    met = [at for stop in request.stop if stop and (at := text.find(stop)) >= 0]
    if met:
        text, finish = text[: min(met)], "stop"
    if len(text) // _CHARS > request.max_tokens:
        text, finish = text[: _CHARS * request.max_tokens], "length"
    return Piece(
        index,
        text,
        completion_tokens=max(1, (len(text) + len(script.reasoning)) // _CHARS),
        finish=finish,
        reasoning=script.reasoning,
        logprobs=script.logprobs,
        prompt_logprobs=script.prompt_logprobs if first else (),
        calls=script.calls,
    )


def _lacking(request: Request, script: Script) -> BadRequest | None:
    """The error where a script does not hold what the request wants."""
    if request.wants != "text":
        missing = "" if script.values else f"values for the {request.wants}"
    elif request.logprobs is not None and script.text and not script.logprobs:
        missing = "logprobs"
    elif request.prompt_logprobs is not None and not script.prompt_logprobs:
        missing = "prompt_logprobs"
    else:
        missing = ""
    return BadRequest(f"the script of this reply holds no {missing}") if missing else None


def info(model: str, options: Mapping[str, Json]) -> ModelInfo:
    """Scripted models offer everything that a script can show. Raises `BadRequest`."""
    return _options(options).info


def open_backend(model: str, options: Mapping[str, Json]) -> Scripted:
    """A backend that replies by the rules in the options. Raises `BadRequest`.

    A text may be written as a mapping, for what a reply holds beside it: `text`, `reasoning`,
    `logprobs` and `prompt_logprobs` (each token a list of its text, its log probability and, if
    there are, its alternatives as a mapping), `calls` (id, name, arguments) and `values`. `offers`
    names the capabilities, if not all are to be there.
    """
    rules = _options(options)
    if not rules.replies:
        raise BadRequest(
            f"scripted/{model} has no replies: write options: {{replies: [...]}} or give a "
            "Scripted backend in Python"
        )
    return Scripted(rules.reply, latency=rules.latency, offers=rules.offered)


def _texts(value: object) -> object:
    return [value] if isinstance(value, str | dict) else value


def _said(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


_Token: TypeAlias = "tuple[str, float] | tuple[str, float, Mapping[str, float]]"


class _Said(BaseModel):
    """A text, and what a reply holds beside it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = ""
    finish: Literal["stop", "length", "content", "tools"] = "stop"
    reasoning: str = ""
    logprobs: tuple[_Token, ...] = ()
    prompt_logprobs: tuple[_Token, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    values: tuple[float, ...] = ()

    def script(self, latency: float) -> Script:
        """As a scripted reply."""
        return Script(
            self.text,
            latency,
            finish=self.finish,
            reasoning=self.reasoning,
            logprobs=_tokens(self.logprobs),
            prompt_logprobs=_tokens(self.prompt_logprobs),
            calls=self.calls,
            values=self.values,
        )


def _tokens(told: Sequence[_Token]) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(one[0], one[1], tuple(one[2].items()) if len(one) == 3 else ()) for one in told
    )


class _Rule(BaseModel):
    """Replies for the requests that match all that is named; draw k gets the k-th text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str | None = None
    step: str | None = None
    question: str | None = None
    contains: str | None = None
    """Some message holds this text."""
    texts: Annotated[
        Sequence[Annotated[_Said, BeforeValidator(_said)]], BeforeValidator(_texts)
    ] = ()
    cycle: bool = False
    """Begin again after the last text; otherwise a draw beyond it is an error."""
    latency: Annotated[float, Field(ge=0)] = 0.0
    fault: Literal[
        "",
        "bad-request",
        "rate-limited",
        "server-failed",
        "timed-out",
        "too-long",
        "unauthorized",
        "unreachable",
    ] = ""

    def matches(self, request: Request) -> bool:
        """Whether the rule is for this request."""
        return (
            (self.role is None or self.role == request.purpose.role)
            and (self.step is None or self.step == request.step)
            and (self.question is None or self.question == request.purpose.question)
            and (
                self.contains is None
                or any(self.contains in message.text for message in request.messages)
            )
        )


class _Options(BaseModel):
    """The options of a scripted model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replies: tuple[_Rule, ...] = ()
    latency: Annotated[float, Field(ge=0)] = 0.0
    draws: Annotated[int, Field(ge=1)] = 64
    """Most draws in one request."""
    offers: tuple[Capability, ...] | None = None
    """The capabilities; None for all."""

    @property
    def offered(self) -> frozenset[Capability]:
        """The capabilities, as a set."""
        return frozenset(Capability if self.offers is None else self.offers)

    @property
    def info(self) -> ModelInfo:
        """What such a model can do."""
        return ModelInfo(
            context=1 << 20,
            max_tokens=256,
            capabilities=self.offered,
            max_draws=self.draws,
            concurrency=1 << 20,
        )

    def reply(self, request: Request, draw: Draw) -> Script:
        """The reply of the first rule that matches. Raises `NotRecorded`."""
        for rule in self.replies:
            if rule.matches(request):
                return _scripted(rule, request, draw)
        raise NotRecorded(f"no scripted reply for role {request.purpose.role} of {request.step!r}")


def _scripted(rule: _Rule, request: Request, draw: Draw) -> Script:
    if rule.fault:
        fault = _FAULTS[rule.fault]("scripted")
        return Script(latency=rule.latency, fault=fault)
    number = draw.number if request.purpose.role == "solve" else draw.index
    if number >= len(rule.texts) and not (rule.cycle and rule.texts):
        raise NotRecorded(f"step {request.step!r} has no scripted reply for draw {number}")
    return rule.texts[number % len(rule.texts)].script(rule.latency)


def _options(options: Mapping[str, Any]) -> _Options:
    try:
        return _Options.model_validate(dict(options))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise BadRequest(f"options of a scripted model: {where}: {problem['msg']}") from error
