"""Named benchmarks: each a YAML file that says where its rows are and what scores an answer."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from ...compiler.errors import InputError
from ...compiler.names import nearest
from .benchmark import Benchmark

__all__ = ["Benchmark", "benchmark", "names"]

_FOLDER = Path(__file__).parent


@cache
def names() -> tuple[str, ...]:
    """The names of the benchmarks, sorted."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))


@cache
def benchmark(name: str) -> Benchmark:
    """The benchmark of that name. Raises `InputError` with the nearest one."""
    if name not in names():
        raise InputError(f"no benchmark {name!r}; {nearest(name, names())}")
    told = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    try:
        return Benchmark.model_validate(told)
    except ValidationError as error:
        raise InputError(f"benchmark {name}: {error}") from error
