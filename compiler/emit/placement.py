"""The placement as YAML to use: `models:` with their options filled in, and what to start."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml

from ..errors import InputError
from ..place.placement import Placed, Placement, Turn
from ..plan import Plan
from .placed import where

__all__ = ["emit", "serve"]

_NAMED = {"fp16": "float16"}


def emit(plan: Plan) -> str:
    """The placement of a plan as YAML. Its `models:` can stand in the pipeline's file.

    Raises `InputError` for a plan that was not placed.
    """
    placement = plan.placement
    if placement is None:
        raise InputError("the models were not placed: say which GPUs there are")
    told: dict[str, Any] = {
        "models": {
            name: _model(plan, placement.of(name), name, bool(placement.turns))
            for name in plan.graph.models
        },
        "serve": {home.engine.name: serve(placement, home) for home in placement.placed},
    }
    if placement.turns:
        told["turns"] = [_turn(turn) for turn in placement.turns]
        told["sleep_level"] = placement.sleep
    text = yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=1000)
    return "\n".join(_head(plan, placement)) + "\n" + text


def _head(plan: Plan, placement: Placement) -> Iterator[str]:
    yield f"# {plan.graph.name} on {placement.fleet}, {placement.questions} at once."
    for home in placement.placed:
        yield f"# {', '.join(home.engine.entries)}: {where(placement, home)}"


def _model(plan: Plan, home: Placed | None, name: str, sleeps: bool) -> Mapping[str, Any]:
    spec = plan.graph.models[name]
    written: dict[str, Any] = spec.model_dump(mode="json", exclude_defaults=True)
    if home is None or spec.backend != "vllm":
        return written
    options = {**written.get("options", {}), **_settings(home)}
    dtype = home.gpu.dtype(home.engine.shape)
    if dtype != home.engine.shape.dtype:
        options["dtype"] = _NAMED[dtype]
    engine = {**options.get("engine", {}), "max_num_seqs": home.draws}
    if sleeps:
        engine["enable_sleep_mode"] = True
    return {**written, "options": {**options, "engine": engine}}


def _settings(home: Placed) -> Mapping[str, float]:
    return {
        "tensor_parallel_size": home.parallel,
        "gpu_memory_utilization": home.utilization,
        "max_model_len": home.engine.longest,
    }


def serve(placement: Placement, home: Placed) -> str:
    """The command line that starts vLLM's server for an engine."""
    ids = ",".join(str(placement.fleet.ids[gpu]) for gpu in home.gpus)
    mode = "VLLM_SERVER_DEV_MODE=1 " if placement.turns else ""
    return f"CUDA_VISIBLE_DEVICES={ids} {mode}{shlex.join(_words(placement, home))}"


def _words(placement: Placement, home: Placed) -> Iterator[str]:
    spec, shape = home.engine.spec, home.engine.shape
    source = (spec.shape.like if spec.shape else None) or str(spec.options.get("path") or spec.name)
    yield from ("vllm", "serve", source)
    if source != spec.name:
        yield from ("--served-model-name", spec.name)
    if (port := _port(spec.options.get("base_url"))) is not None:
        yield from ("--port", str(port))
    for setting, value in {**_settings(home), "max_num_seqs": home.draws}.items():
        yield from (f"--{setting.replace('_', '-')}", str(value))
    if (dtype := home.gpu.dtype(shape)) != shape.dtype:
        yield from ("--dtype", _NAMED[dtype])
    if spec.shape and spec.shape.quantization == "fp8":
        yield from ("--quantization", "fp8")
    if shape.kv_dtype == "fp8":
        yield from ("--kv-cache-dtype", "fp8")
    if placement.turns:
        yield "--enable-sleep-mode"


def _port(url: object) -> int | None:
    return urlsplit(url).port if isinstance(url, str) else None


def _turn(turn: Turn) -> Mapping[str, Any]:
    return {
        "steps": list(turn.steps),
        "awake": list(turn.awake),
        "wakes": list(turn.woken),
        "seconds": round(turn.seconds, 2),
    }
