"""Baselines: pipelines of the library, asking the models of the pipeline they are compared with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ..compiler.errors import InputError
from ..pipeline import Pipeline, load, loads
from .files import pipeline_file

__all__ = ["baseline"]


def baseline(word: str, like: Path, question_tokens: int, keys: Iterable[str]) -> Pipeline:
    """A pipeline to compare with. One of the library keeps its steps, and takes models, answer kind
    and question of the pipeline in the file `like`; a file is taken as it is.

    A model of the baseline is the one of the same name there, else the first one.
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
    text = yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
    return loads(text, folder=like.parent, question_tokens=question_tokens, keys=keys)


def _read(path: Path) -> dict[str, Any]:
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    return told if isinstance(told, dict) else {}
