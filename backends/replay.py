"""Recorded draws from a recordings folder, by item, model and draw number. A miss is an error.

A folder holds `samples.jsonl.gz` (or `.jsonl`): one JSON object a line with `item`, `model`,
`sample`, `text` and, where they were recorded, `prompt_tokens`, `completion_tokens` and
`latency_s`. The question's id names the item.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ..compiler.errors import BadRequest, NoSuchModel, NotRecorded
from ..compiler.model import Capability, ModelInfo
from ..compiler.names import nearest
from ..compiler.values import Json
from .base import Backend, Piece, Request, refuse_unoffered

__all__ = ["OFFERS", "Recording", "Replay", "info", "open_backend"]

OFFERS = frozenset({Capability.DRAWS, Capability.CANCEL, Capability.SEED})


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


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    recordings: str
    """The folder, relative to where polyarch runs."""
    latency: bool = False
    """Wait as long as was recorded."""


class Replay(Backend):
    """Draws of one model out of a recordings folder."""

    repeatable = False

    def __init__(
        self, model: str, drawn: Mapping[tuple[str, int], Recording], *, latency: bool = False
    ) -> None:
        """`drawn` by item and draw number."""
        self._model = model
        self._drawn = drawn
        self._latency = latency

    async def generate(self, request: Request) -> AsyncGenerator[Piece, None]:
        """The recorded texts of the request's draws.

        Raises `NotRecorded` for an item or draw that the folder does not hold, and for any request
        that is not the question itself: what a model would have said to another prompt is not
        known. Raises `BadRequest` for anything but the text of an answer.
        """
        refuse_unoffered(f"replay/{self._model}", OFFERS | {Capability.STOP}, request)
        if request.purpose.role != "solve":
            raise NotRecorded(
                f"step {request.step!r} asks to {request.purpose.role}; a recording only holds "
                "answers to its questions"
            )
        for draw in request.draws:
            recording = self._drawn.get((request.question, draw.number))
            if recording is None:
                raise NotRecorded(
                    f"no draw {draw.number} of {self._model} for item {request.question!r}"
                )
            if recording.completion_tokens > request.max_tokens:
                raise NotRecorded(
                    f"draw {draw.number} of {self._model} for item {request.question!r} was "
                    f"recorded with {recording.completion_tokens} tokens, more than "
                    f"max_tokens: {request.max_tokens}"
                )
            if any(stop in recording.text for stop in request.stop):
                raise NotRecorded(
                    f"draw {draw.number} of {self._model} for item {request.question!r} was "
                    f"recorded with more text than stop: {list(request.stop)} lets through"
                )
            if self._latency:
                await asyncio.sleep(recording.latency_s)
            yield Piece(
                draw.index,
                recording.text,
                prompt_tokens=recording.prompt_tokens if draw is request.draws[0] else 0,
                completion_tokens=recording.completion_tokens,
                finish="stop",
            )

    async def aclose(self) -> None:
        """There is nothing to release."""


def info(model: str, options: Mapping[str, Json]) -> ModelInfo:
    """What a recording can do: several draws of one prompt. Raises `BadRequest`, `NoSuchModel`."""
    settings = _options(options)
    _models(settings.recordings, model)
    return ModelInfo(
        context=1 << 20,
        max_tokens=1 << 16,
        capabilities=OFFERS,
        max_draws=1 << 16,
        concurrency=1 << 16,
        roles=frozenset({"solve"}),
    )


def open_backend(model: str, options: Mapping[str, Json]) -> Replay:
    """A backend over the folder named by the option `recordings`."""
    settings = _options(options)
    return Replay(model, _models(settings.recordings, model), latency=settings.latency)


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
