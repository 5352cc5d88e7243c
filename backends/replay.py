"""Recorded draws from a recordings folder, by item, model and draw number. A miss is an error.

A folder holds `samples.jsonl.gz` (or `.jsonl`): one JSON object a line with `item`, `model`,
`sample`, `text` and, where they were recorded, `prompt_tokens`, `completion_tokens`, `latency_s`,
`usd`, `finish`, `reasoning`, `logprobs` (each token a list of its text, its log probability and, if
there are, its alternatives as a mapping), `score`, what a reward model gave the text, and `answer`,
what was read out of it when it was recorded. The question's id names the item.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..compiler.errors import BadRequest, NoSuchModel, NotRecorded
from ..compiler.model import Capability, ModelInfo
from ..compiler.names import nearest
from ..compiler.values import Json, TokenLogprob
from .base import Backend, Draw, Piece, Request, refuse_unoffered

__all__ = ["BY_OPTION", "OFFERS", "Recording", "Replay", "info", "open_backend"]

OFFERS = frozenset({Capability.DRAWS, Capability.CANCEL, Capability.SEED})

BY_OPTION: Mapping[Capability, str] = MappingProxyType(
    {
        Capability.LOGPROBS: "recordings that hold logprobs",
        Capability.REWARD: "recordings that hold a score",
    }
)

_SHORT = 60
"""Characters of a text that an error shows."""


class Recording(BaseModel):
    """One recorded completion."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    item: str
    model: str
    sample: int
    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_s: float = 0.0
    usd: float | None = None
    answer: str | None = None
    finish: str = "stop"
    reasoning: str = ""
    logprobs: tuple[tuple[str, float] | tuple[str, float, Mapping[str, float]], ...] = ()
    score: float | None = None


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    recordings: str
    """The folder, relative to where polyarch runs."""
    latency: bool = False
    """Wait as long as was recorded."""
    usd: bool = False
    """Charge what was recorded. Nobody knows it before, so dollars cannot be limited."""
    show: Literal["text", "answer"] = "text"
    """What a reply says: the recorded text, or the answer that was read out of it then."""
    max_draws: Annotated[int, Field(ge=1)] = 1 << 16
    """Most draws in one request, which share its prompt tokens."""


class Replay(Backend):
    """Draws of one model out of a recordings folder."""

    repeatable = False

    def __init__(
        self,
        model: str,
        drawn: Mapping[tuple[str, int], Recording],
        *,
        latency: bool = False,
        usd: bool = False,
        show: Literal["text", "answer"] = "text",
    ) -> None:
        """`drawn` by item and draw number; the rest as the options of these names."""
        self._model = model
        self._drawn = drawn
        self._latency = latency
        self._usd = usd
        self._answers = show == "answer"
        self._offers = _offered(drawn)
        self._rewards = {
            (item, recording.text): recording.score
            for (item, _), recording in drawn.items()
            if recording.score is not None
        }

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """The recorded texts of the request's draws, or the reward of a recorded text.

        Raises `NotRecorded` for an item or draw that the folder does not hold, and for any request
        that is not the question itself: what a model would have said to another prompt is not
        known. Raises `BadRequest` for what was not recorded with every text.
        """
        refuse_unoffered(f"replay/{self._model}", self._offers | {Capability.STOP}, request)
        if request.wants == "reward":
            yield self._rewarded(request)
            return
        if request.purpose.role != "solve":
            raise NotRecorded(
                f"step {request.step!r} asks to {request.purpose.role}; a recording only holds "
                "answers to its questions"
            )
        found = [(draw, self._recording(request, draw)) for draw in request.draws]
        prompt, waited = found[0][1].prompt_tokens, 0.0
        if self._latency:
            found.sort(key=lambda one: one[1].latency_s)
        for draw, recording in found:
            if self._latency:
                await asyncio.sleep(recording.latency_s - waited)
                waited = recording.latency_s
            yield Piece(
                draw.index,
                (recording.answer or "") if self._answers else recording.text,
                prompt_tokens=prompt,
                completion_tokens=recording.completion_tokens,
                finish=recording.finish,
                reasoning=recording.reasoning,
                logprobs=() if request.logprobs is None else _tokens(recording, request.logprobs),
                usd=recording.usd if self._usd else None,
            )
            prompt = 0

    def _recording(self, request: Request, draw: Draw) -> Recording:
        """The recording of a draw, if it is what the request would have given."""
        recording = self._drawn.get((request.question, draw.number))
        named = f"draw {draw.number} of {self._model} for item {request.question!r}"
        if recording is None:
            raise NotRecorded(f"no {named}")
        if recording.completion_tokens > request.max_tokens:
            raise NotRecorded(
                f"{named} was recorded with {recording.completion_tokens} tokens, more than "
                f"max_tokens: {request.max_tokens}"
            )
        if any(stop in recording.text for stop in request.stop):
            raise NotRecorded(
                f"{named} was recorded with more text than stop: {list(request.stop)} lets through"
            )
        return recording

    def _rewarded(self, request: Request) -> Piece:
        """What the reward model gave the text that the request shows."""
        shown = "".join(request.purpose.shown)
        reward = self._rewards.get((request.question, shown))
        if reward is None:
            short = shown if len(shown) <= _SHORT else f"{shown[:_SHORT]}…"
            raise NotRecorded(f"no reward of {short!r} for item {request.question!r}")
        return Piece(request.draws[0].index, finish="stop", values=(reward,))

    async def aclose(self) -> None:
        """There is nothing to release."""


def info(model: str, options: Mapping[str, Json]) -> ModelInfo:
    """What a recording can do: several draws of one prompt, and whatever each of them was recorded
    with. Raises `BadRequest`, `NoSuchModel`."""
    settings = _options(options)
    offered = _offered(_models(settings.recordings, model))
    return ModelInfo(
        context=1 << 20,
        max_tokens=1 << 16,
        capabilities=offered,
        priced=not settings.usd,
        max_draws=settings.max_draws,
        concurrency=1 << 16,
        roles=frozenset({"solve", "score"} if Capability.REWARD in offered else {"solve"}),
    )


def open_backend(model: str, options: Mapping[str, Json]) -> Replay:
    """A backend over the folder named by the option `recordings`."""
    settings = _options(options)
    return Replay(
        model,
        _models(settings.recordings, model),
        latency=settings.latency,
        usd=settings.usd,
        show=settings.show,
    )


def _offered(drawn: Mapping[tuple[str, int], Recording]) -> frozenset[Capability]:
    """What every recording of a model tells."""
    told = {
        Capability.LOGPROBS: all(one.logprobs for one in drawn.values()),
        Capability.REWARD: all(one.score is not None for one in drawn.values()),
    }
    return OFFERS.union(what for what, there in told.items() if there)


def _tokens(recording: Recording, alternatives: int) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(
            one[0],
            one[1],
            tuple(sorted(one[2].items(), key=lambda other: -other[1])[:alternatives])
            if len(one) == 3
            else (),
        )
        for one in recording.logprobs
    )


def _models(folder: str, model: str) -> Mapping[tuple[str, int], Recording]:
    found = _load(folder)
    if model not in found:
        raise NoSuchModel(f"{folder} records no model {model!r}; {nearest(model, found)}")
    return found[model]


@lru_cache(maxsize=4)
def _load(folder: str) -> Mapping[str, Mapping[tuple[str, int], Recording]]:
    """Every recording of a folder, by model, then by item and draw number."""
    found: dict[str, dict[tuple[str, int], Recording]] = {}
    for number, line in enumerate(_lines(Path(folder)), start=1):
        try:
            recording = Recording.model_validate(json.loads(line))
        except (ValidationError, json.JSONDecodeError) as error:
            raise BadRequest(f"{folder}: line {number} of the samples: {error}") from error
        drawn = found.setdefault(recording.model, {})
        drawn[recording.item, recording.sample] = recording
    return found


def _lines(folder: Path) -> Iterator[str]:
    packed, plain = folder / "samples.jsonl.gz", folder / "samples.jsonl"
    if packed.is_file():
        with gzip.open(packed, "rt", encoding="utf-8") as lines:
            yield from lines
    elif plain.is_file():
        with plain.open(encoding="utf-8") as lines:
            yield from lines
    else:
        raise BadRequest(f"{folder} holds no samples.jsonl.gz and no samples.jsonl")


def _options(options: Mapping[str, Any]) -> _Options:
    try:
        return _Options.model_validate(dict(options))
    except ValidationError as error:
        raise BadRequest("a replay model needs options: {recordings: FOLDER}") from error
