"""A memory of tasks: what was good for which, so that a search of a task like it starts there.

Tasks are compared by what their questions look like (words, hashed, and lengths), by how answers
are read and scored, and by the models at hand. (After Meta-Learning for Speeding Up Large Model
Inference in Decentralized Environments, 2024, which learns from past runs which method suits a new
task; what is compared, and how, is our own.)
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, sqrt
from pathlib import Path
from typing import Any

import yaml

from ..compiler.space import Choice, Space
from ..evaluation.data import Item
from ..ops._features import LENGTHS, features
from .database import Database
from .start import fitting
from .trial import key_of

__all__ = ["Memory", "Nearest", "Task", "nearness", "setting_of", "task_of"]

_MODEL = re.compile(r"[a-z][a-z0-9_]*/[^\s{}]+")
_BUCKETS = 256
_LOOKED_AT = 200
"""Questions from which it is told what a task looks like."""
_LEAST = 0.5
"""Tasks less alike than this say nothing of one another."""
_KEPT = 8
"""Pipelines that are remembered of a task."""


@dataclass(frozen=True, slots=True)
class Task:
    """What tells tasks apart: the mean of the features of questions, how answers are read and
    scored, and the models."""

    features: Mapping[int, float]
    answer: str
    metric: str
    models: tuple[str, ...]

    def record(self) -> str:
        """As JSON; `of` reads it."""
        told = {str(place): round(value, 5) for place, value in self.features.items()}
        return json.dumps([told, self.answer, self.metric, list(self.models)])

    @classmethod
    def of(cls, text: str) -> Task:
        """What `record` wrote."""
        told, answer, metric, models = json.loads(text)
        return cls({int(k): float(v) for k, v in told.items()}, answer, metric, tuple(models))


def task_of(items: Sequence[Item], answer: str, metric: str, models: Sequence[str]) -> Task:
    """The task that questions set."""
    looked_at = items[:_LOOKED_AT]
    total: dict[int, float] = {}
    for item in looked_at:
        for place, value in features(item.text, _BUCKETS).items():
            total[place] = total.get(place, 0.0) + value / len(looked_at)
    return Task(total, answer, metric, tuple(sorted(models)))


def setting_of(text: str) -> tuple[str, tuple[str, ...]]:
    """How a pipeline or space reads answers, and the models that it names."""
    whole = yaml.safe_load(text)
    named = dict.fromkeys(_models(whole.get("models"), named=True))
    named |= dict.fromkeys(_models(whole.get("steps"), named=False))
    return json.dumps(whole.get("answer", "")), tuple(named)


def _models(value: Any, *, named: bool) -> Iterator[str]:
    """What is written as backend/model inside a value; `named` takes bare texts for it, too."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _models(inner, named=named or key in ("model", "members"))
    elif isinstance(value, list):
        for inner in value:
            yield from _models(inner, named=named)
    elif named and isinstance(value, str) and _MODEL.fullmatch(value):
        yield value


def nearness(one: Task, other: Task) -> float:
    """How alike two tasks are, from 0 to 1: the cosine between their words, less for other lengths,
    half for other answers or another metric, and the less the fewer models are the same."""
    words = _cosine(_part(one, words=True), _part(other, words=True))
    places = set(_part(one, words=False)) | set(_part(other, words=False))
    apart = sum((one.features.get(p, 0.0) - other.features.get(p, 0.0)) ** 2 for p in places)
    same = (one.answer, one.metric) == (other.answer, other.metric)
    both, either = {*one.models} & {*other.models}, {*one.models} | {*other.models}
    models = (1 + len(both) / len(either)) / 2 if either else 1.0
    return words * exp(-apart / LENGTHS) * (1.0 if same else 0.5) * models


def _part(task: Task, *, words: bool) -> Mapping[int, float]:
    return {p: v for p, v in task.features.items() if (p >= LENGTHS) == words}


def _cosine(one: Mapping[int, float], other: Mapping[int, float]) -> float:
    across = sum(value * other.get(place, 0.0) for place, value in one.items())
    lengths = sqrt(sum(v * v for v in one.values()) * sum(v * v for v in other.values()))
    return across / lengths if lengths else 0.0


@dataclass(frozen=True, slots=True)
class Nearest:
    """A task that was searched before: its name, how alike it is, and its best pipelines with the
    folders of their files."""

    name: str
    nearness: float
    pipelines: tuple[tuple[str, Path], ...]


class Memory:
    """Tasks and their best pipelines, in a database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def remember(
        self,
        name: str,
        task: Task,
        pipelines: Sequence[tuple[str, float, int]],
        folder: Path,
    ) -> None:
        """Take in a task: its best pipelines, best first, each with its score and on how many
        questions."""
        tried = [[text, value, questions] for text, value, questions in pipelines[:_KEPT]]
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self._db.transaction():
            self._db.rows(
                "INSERT INTO polyarch_task VALUES (?, ?, ?, ?)",
                (made, name, task.record(), json.dumps([str(folder), tried])),
            )

    def nearest(self, task: Task, count: int = 3) -> list[Nearest]:
        """The tasks most like one, those too far from it left out."""
        rows = self._db.rows("SELECT name, task, tried FROM polyarch_task ORDER BY made DESC")
        found = []
        for name, told, tried in rows:
            folder, pipelines = json.loads(tried)
            texts = tuple((text, Path(folder)) for text, _, _ in pipelines)
            found.append(Nearest(name, nearness(task, Task.of(told)), texts))
        near = sorted((one for one in found if one.nearness >= _LEAST), key=lambda o: -o.nearness)
        return near[:count]

    def points(self, task: Task, space: Space, count: int = 5) -> list[tuple[Choice, Nearest]]:
        """Points of a space that were good for tasks like this: of the nearest tasks in turn, the
        best first."""
        turns = [(one, fitting(space, one.pipelines)) for one in self.nearest(task)]
        found: dict[str, tuple[Choice, Nearest]] = {}
        while turns and len(found) < count:
            turns = [(one, left) for one, left in turns if _take(one, left, found)]
        return list(found.values())[:count]


def _take(one: Nearest, left: Iterator[Choice], found: dict[str, tuple[Choice, Nearest]]) -> bool:
    """Take in the next new point of a task; whether there was one."""
    for choice in left:
        if key_of(choice) not in found:
            found[key_of(choice)] = (choice, one)
            return True
    return False
