"""One line of the results: what a pipeline made of an item, and how good that is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..compiler.values import NOTHING, Json, Usage
from .metrics.score import NO_USAGE

__all__ = ["Judged", "Record", "from_line", "to_line"]


def _nothing() -> Mapping[str, Json]:
    return NOTHING


def _no_scores() -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate that a step made, scored by the metric that scores the result.

    `answer` is canonical, None *no answer*; `score` is None where it could not be scored. `scores`
    are what the pipeline itself gave it; `group` is the place of the first candidate whose answer
    means the same, -1 without an answer.
    """

    answer: str | None
    score: float | None
    step: str
    index: int
    scores: Mapping[str, float] = field(default_factory=_no_scores)
    model: str = ""
    group: int = -1


@dataclass(frozen=True, slots=True)
class Record:
    """What became of an item: one pipeline, one seed.

    `score` is None where the run failed; `error` and its `code` then say how. `parsed` is whether
    the result held an answer. `candidates` are those that the steps made as answers to the item.
    `scores` are those of the result, `judging` what scoring cost beside the run. `seconds` is wall
    time of the run. `slices` are fields of the item to tell its part of the data by.
    """

    pipeline: str
    item: str
    seed: int
    score: float | None
    parsed: bool
    answer: str | None
    text: str
    candidates: tuple[Judged, ...] = ()
    usage: Usage = NO_USAGE
    seconds: float = 0.0
    error: str = ""
    code: str = ""
    slices: Mapping[str, Json] = field(default_factory=_nothing)
    scores: Mapping[str, float] = field(default_factory=_no_scores)
    detail: Mapping[str, Json] = field(default_factory=_nothing)
    judging: Usage = NO_USAGE
    stopped: str = ""


def to_line(record: Record) -> str:
    """A record as a line of JSON, without the line's end."""
    told: dict[str, Any] = {name: getattr(record, name) for name in _FIELDS}
    told["usage"] = asdict(record.usage)
    told["judging"] = asdict(record.judging)
    told["candidates"] = [
        [one.step, one.index, one.answer, one.score, one.group, one.model, dict(one.scores)]
        for one in record.candidates
    ]
    for name in ("slices", "scores", "detail"):
        told[name] = dict(told[name])
    return json.dumps(told, ensure_ascii=False, default=str)


def from_line(line: str | bytes) -> Record:
    """The record in a line of JSON. Raises ValueError, KeyError or TypeError for anything else."""
    told = json.loads(line)
    return Record(
        **{
            **told,
            "usage": Usage(**told["usage"]),
            "judging": Usage(**told["judging"]),
            "candidates": tuple(
                Judged(answer, score, step, index, scores, model, group)
                for step, index, answer, score, group, model, scores in told["candidates"]
            ),
        }
    )


_FIELDS = tuple(Record.__dataclass_fields__)
