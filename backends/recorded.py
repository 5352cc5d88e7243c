"""What a recordings folder holds: completions by model, item and draw number, and judgements."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ..compiler.errors import BadRequest

__all__ = ["OUTPUTS", "Drawn", "Judgement", "Recording", "recordings"]

RowT = TypeVar("RowT", bound=BaseModel)

OUTPUTS = "outputs"
"""The model whose draws are the outputs that were judged."""


class Recording(BaseModel):
    """One recorded completion; of a judge, one verdict on two outputs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    item: str
    model: str
    sample: int
    text: str
    answer: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_s: float = 0.0
    usd: float | None = None
    finish: str = "stop"
    reasoning: str = ""
    logprobs: tuple[tuple[str, float] | tuple[str, float, Mapping[str, float]], ...] = ()
    score: float | None = None
    """What a reward model gave the text; None, written out, for one that could not be read."""
    compared: tuple[str, str] | None = None
    """For a verdict: the outputs in the order in which they were shown."""
    better: Literal["first", "second"] | None = None
    """For a verdict: which was called better; None if that could not be read."""


class Judgement(BaseModel):
    """One recorded verdict on the two outputs of an item, or the rating of one."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    item: str
    judge: str
    strategy: str
    order: Literal["12", "21", "1", "2"]
    text: str
    pick: Literal["a", "b"] | None = None
    winner: int | None = None
    score: float | None = None

    def recording(self, outputs: tuple[str, str]) -> Recording:
        """The judgement as a draw of the model JUDGE/STRATEGY: number 0 showed the outputs in their
        order, number 1 in reverse; of ratings, the number is that of the output rated."""
        model = f"{self.judge}/{self.strategy}"
        number = int(self.order in ("21", "2"))
        if self.order in ("1", "2"):
            rated = outputs[number]
            return Recording(
                item=self.item, model=model, sample=number, text=rated, score=self.score
            )
        return Recording(
            item=self.item,
            model=model,
            sample=number,
            text=self.text,
            answer=None if self.winner is None else str(self.winner),
            compared=outputs if number == 0 else outputs[::-1],
            better={"a": "first", "b": "second", None: None}[self.pick],
        )


Drawn: TypeAlias = Mapping[tuple[str, int], Recording]
"""Recordings of one model by item and draw number."""


@lru_cache(maxsize=4)
def recordings(folder: str) -> Mapping[str, Drawn]:
    """Every recording of a folder, by model. Raises `BadRequest`."""
    found: dict[str, dict[tuple[str, int], Recording]] = {}
    judged = _file(Path(folder), "judgements") is not None
    rows = _judged(Path(folder)) if judged else _read(Path(folder), "samples", Recording)
    for recording in rows:
        found.setdefault(recording.model, {})[recording.item, recording.sample] = recording
    return found


def _judged(folder: Path) -> Iterator[Recording]:
    """The outputs that were judged, and the judgements."""
    outputs: dict[str, tuple[str, str]] = {}
    for item in _read(folder, "items", _Pair):
        outputs[item.id] = item.choices
        for number, text in enumerate(item.choices):
            yield Recording(item=item.id, model=OUTPUTS, sample=number, text=text)
    for judgement in _read(folder, "judgements", Judgement):
        if judgement.item not in outputs:
            raise BadRequest(f"{folder}: a judgement of the unknown item {judgement.item!r}")
        yield judgement.recording(outputs[judgement.item])


class _Pair(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    choices: tuple[str, str]


def _read(folder: Path, name: str, row: type[RowT]) -> Iterator[RowT]:
    for number, line in enumerate(_lines(folder, name), start=1):
        try:
            yield row.model_validate(json.loads(line))
        except (ValidationError, json.JSONDecodeError) as error:
            raise BadRequest(f"{folder}: line {number} of the {name}: {error}") from error


def _lines(folder: Path, name: str) -> Iterable[str]:
    path = _file(folder, name)
    if path is None:
        raise BadRequest(f"{folder} holds no {name}.jsonl.gz and no {name}.jsonl")
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        for line in file:
            yield line.decode("utf-8")


def _file(folder: Path, name: str) -> Path | None:
    paths = (folder / f"{name}.jsonl.gz", folder / f"{name}.jsonl")
    return next((path for path in paths if path.is_file()), None)
