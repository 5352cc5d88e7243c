"""Which models of a pipeline need GPUs here, and what their shapes are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import InputError
from ..names import nearest
from ..spec import ModelSpec
from .asked import ShapeSpec
from .config import folder_shape
from .known import known_models, known_shape
from .shape import Shape

__all__ = ["resolve"]

_OURS = frozenset({"vllm"})
"""Backends whose models run on GPUs here."""
_QUANTIZATIONS = {"fp8": "fp8", "awq": "int4", "awq_marlin": "int4", "mxfp4": "mxfp4"}
_DTYPES = {
    **dict.fromkeys(("bfloat16", "bf16"), "bf16"),
    **dict.fromkeys(("half", "float16", "fp16"), "fp16"),
    **dict.fromkeys(("float", "float32", "fp32"), "fp32"),
}


def resolve(name: str, spec: ModelSpec, shapes: Mapping[str, ShapeSpec]) -> Shape | None:
    """The shape of a model, None for one that others serve.

    Models of `vllm`, those behind a `base_url`, and those with a `shape:` run on GPUs here.
    `shapes` are those of the fleet, by the model's name. Raises `InputError` for a shape that is
    not known or not sound.
    """
    said = spec.shape or shapes.get(spec.name) or ShapeSpec()
    if said.elsewhere or not (said != ShapeSpec() or _here(spec)):
        return None
    base = _base(name, spec, said)
    plain = base.model_dump() if base else {}
    changed = {**plain, **_options(spec), **said.model_dump(exclude={"like"}, exclude_none=True)}
    try:
        return Shape.model_validate(changed)
    except ValidationError as error:
        raise InputError(f"shape of model {name!r}: {_problems(error)}") from None


def _here(spec: ModelSpec) -> bool:
    return spec.backend in _OURS or bool(spec.options.get("base_url"))


def _base(name: str, spec: ModelSpec, said: ShapeSpec) -> Shape | None:
    """The shape that is built on; None where everything is written out."""
    source = said.like or str(spec.options.get("path") or spec.name)
    folder = Path(source).expanduser()
    if (folder / "config.json").is_file():
        return folder_shape(folder)
    if (shape := known_shape(source)) is not None:
        return shape
    if said.like is None and said.layers is not None:
        return None
    hint = nearest(source, list(known_models()))
    raise InputError(
        f"the shape of model {name!r} ({source}) is not known"
        + (f"; {hint}" if hint else "")
        + f". Say it in `models: {{{name}: {{shape: …}}}}`: a known model or a folder with a "
        "config.json, or layers, hidden, heads, kv_heads, head, intermediate and vocab; or "
        "`shape: elsewhere` if others serve it"
    )


def _options(spec: ModelSpec) -> dict[str, Any]:
    """What the options of the backend say of how numbers are held."""
    options: dict[str, Any] = {}
    if spec.backend not in _OURS:
        return options
    if (dtype := spec.options.get("dtype", "auto")) != "auto":
        options["dtype"] = _DTYPES.get(dtype, dtype)
    if (quantization := spec.options.get("quantization")) in _QUANTIZATIONS:
        options["quantization"] = _QUANTIZATIONS[quantization]
    engine = spec.options.get("engine") or {}
    if str(engine.get("kv_cache_dtype", "auto")).startswith("fp8"):
        options["kv_dtype"] = "fp8"
    return options


def _problems(error: ValidationError) -> str:
    told = []
    for problem in error.errors(include_url=False, include_input=False):
        field = ".".join(map(str, problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        missing = problem["type"] == "missing"
        told.append(f"{field} is missing" if missing else f"{field}: {message}".removeprefix(": "))
    return "; ".join(told)
