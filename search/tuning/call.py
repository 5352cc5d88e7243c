"""Tuning as one call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...compiler.build import build, build_file
from ...compiler.errors import InputError
from ...compiler.machine import here
from ...compiler.names import nearest
from ...compiler.registry import settings
from ...compiler.source import parse
from ...compiler.spec import ModelSpec
from ...compiler.values import Json
from ..questions import questions as asked
from .load import Load
from .measuring import Apart, Measures
from .settings import Settings
from .study import Tuned, Tuning
from .study import tune as study

__all__ = ["tune"]

Watch = Callable[[Mapping[str, Any], float | str], None]


def tune(
    what: str | Path,
    data: str = "embedded:65",
    *,
    model: str | None = None,
    options: Mapping[str, Any] | None = None,
    tries: Mapping[str, Sequence[Json]] | None = None,
    questions: int = 65,
    draws: int = 8,
    concurrency: int = 16,
    trials: int = 64,
    minutes: float | None = None,
    repeats: int = 3,
    strategy: str = "tpe",
    seed: int = 0,
    out: str | Path = "profile.json",
    keys: Sequence[str] = (),
    watch: Watch = lambda values, told: None,
    measure: Measures | None = None,
) -> Tuned:
    """Find the settings with which a model is fastest, and write them to the file `out`.

    `what` is a pipeline file, of whose models `model` is tuned, or backend/model, which draws
    `draws` times for each question then, with `options`. Each measurement is a process of its own
    in which the pipeline answers `questions` questions of `data`, `concurrency` at once; what
    counts are the completion tokens a second after the first question. `tries` are values by
    option, dots between names inside one another and `env.` before a variable of the environment;
    the backend's own if left out. Of more than `trials` settings, so many are measured, chosen by
    the `strategy`. The fastest are measured `repeats` times more, in turn with the options as they
    are. `measure` is what measures, for tests.

    Raises `InputError`, `SpecError`, and `Failed` where the options as they are do not work.
    """
    load, spec = _load(what, model, options or {}, data, questions, draws, concurrency, keys)
    values = tries or settings(spec.backend)
    if not values:
        raise InputError(f"{spec.model} has no settings of its own: say which to try, and values")
    where = Path(out)
    tuning = Tuning(
        Settings(values),
        load,
        spec.model,
        here(spec.backend),
        trials=trials,
        seconds=None if minutes is None else 60 * minutes,
        repeats=repeats,
        strategy=strategy,
        seed=seed,
        kept=where.with_name(f"{where.stem}.measured.jsonl"),
    )
    found = asyncio.run(study(tuning, measure or Apart(), watch))
    where.write_text(found.profile.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return found


def _load(
    what: str | Path,
    model: str | None,
    options: Mapping[str, Any],
    data: str,
    questions: int,
    draws: int,
    concurrency: int,
    keys: Sequence[str],
) -> tuple[Load, ModelSpec]:
    file = Path(what)
    if file.is_file():
        text, folder = file.read_text(encoding="utf-8"), file.resolve().parent
        graph = build_file(file)
    elif "/" in str(what):
        text, folder = _plain(str(what), options, draws), Path()
        graph = build(parse(text), folder)
    else:
        raise InputError(f"{what}: no pipeline file, and no backend/model")
    name = model or (next(iter(graph.models)) if len(graph.models) == 1 else "")
    if name not in graph.models:
        hint = nearest(name, graph.models) or f"one of {', '.join(graph.models)}"
        raise InputError(f"which model of {what} is tuned? {hint}")
    texts = tuple(item.text for item in asked(data).all[:questions])
    if len(texts) < 2:
        raise InputError(f"{data}: two questions are needed, one to start with and one to measure")
    load = Load(text, str(folder), name, texts, concurrency, tuple(keys))
    return load, graph.models[name]


def _plain(model: str, options: Mapping[str, Any], draws: int) -> str:
    """A pipeline that draws from one model."""
    return json.dumps(
        {
            "name": "draws",
            "models": {"tuned": {"model": model, "options": dict(options)}},
            "steps": {"drafts": {"op": "generate", "n": draws}, "answer": {"op": "vote"}},
        }
        if draws > 1
        else {
            "name": "draws",
            "models": {"tuned": {"model": model, "options": dict(options)}},
            "steps": {"answer": {"op": "generate"}},
        }
    )
