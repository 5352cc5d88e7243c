"""Baselines: pipelines of the library, asking the models of the pipeline they are compared with, at
no more calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import yaml

from ..compiler.errors import InputError, SpecError
from ..compiler.flow import read_by
from ..compiler.plan import Plan
from ..pipeline import Pipeline, load, loads
from .files import pipeline_file

__all__ = ["baseline", "whole_calls"]


def baseline(
    word: str, like: Path, question_tokens: int, keys: Iterable[str], calls: int
) -> Pipeline:
    """A pipeline to compare with. One of the library keeps its steps, and takes models, answer kind
    and question of the pipeline in the file `like`; a file is taken as it is.

    A model of the baseline is the one of the same name there, else the first one. Wherever the
    baseline draws several times or has several members, it takes as many as keep it within `calls`
    (see `whole_calls`); the fewest that work, where none do.
    """
    if Path(word).exists():
        return load(word, question_tokens=question_tokens, keys=keys)
    told, other = _read(pipeline_file(word)), _read(like)
    models = other.get("models")
    if not isinstance(models, dict) or not models:
        raise InputError(f"{like} names no models for the baseline {word} to ask")
    first = next(iter(models.values()))
    named = told.get("models") or {}
    told["models"] = {name: models.get(name, first) for name in named}
    for key in ("answer", "question"):
        told.pop(key, None)
        if key in other:
            told[key] = other[key]

    def made(width: int) -> Pipeline:
        sized = {**told, "steps": _sized(told.get("steps") or {}, width)}
        text = yaml.safe_dump(sized, sort_keys=False, allow_unicode=True)
        return loads(text, folder=like.parent, question_tokens=question_tokens, keys=keys)

    least, best = _least(made)
    low, high = least, max(calls, least) + 1
    while high - low > 1:
        middle = (low + high) // 2
        pipe = made(middle)
        if whole_calls(pipe.plan) <= calls:
            low, best = middle, pipe
        else:
            high = middle
    return best


def _least(made: Callable[[int], Pipeline]) -> tuple[int, Pipeline]:
    """The fewest draws that the baseline works with: a vote over one candidate is none."""
    try:
        return 1, made(1)
    except SpecError:
        return 2, made(2)


def whole_calls(plan: Plan) -> int:
    """The calls of a question where nothing stops early and every reply can be read."""
    total = 0
    for node in plan.graph.nodes.values():
        given = read_by(node.op, [plan.flows[name] for name in node.inputs])
        full = given.with_count(given.count.high, given.count.high)
        made = node.op.calls(replace(full, question=plan.question))
        total += sum(each.count.low for each in made)
    return total


def _sized(steps: Mapping[str, Any], width: int) -> Mapping[str, Any]:
    """The steps with `width` draws where there are several, and so many members, in turn."""
    return {name: _step(step, width) for name, step in steps.items()}


def _step(step: Mapping[str, Any], width: int) -> Mapping[str, Any]:
    made, members = dict(step), step.get("members")
    if isinstance(step.get("n"), int) and step["n"] > 1:
        made["n"] = width
    if isinstance(members, list) and len(members) > 1:
        made["members"] = list(islice(cycle(members), width))
    return made


def _read(path: Path) -> dict[str, Any]:
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    return told if isinstance(told, dict) else {}
