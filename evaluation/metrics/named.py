"""The metric that a name stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from ...compiler.errors import InputError
from ...compiler.names import nearest
from .score import Metric

__all__ = ["METRICS", "metric"]

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "choice": "Choice",
        "code": "Code",
        "exact": "Exact",
        "game24": "Game24",
        "instructions": "Instructions",
        "judged": "Judged",
        "maths": "Maths",
        "numeric": "Numeric",
        "proof": "Proof",
        "recorded": "Recorded",
        "stepwise": "Stepwise",
        "utility": "Utility",
    }
)
"""Every metric's class, by its name, which is that of its file."""


def metric(spec: str | Mapping[str, Any]) -> Metric:
    """A metric by name, or by a mapping of one name to its options; a text may hold that as JSON.

    Raises `InputError` with the nearest name or option.

    >>> metric({"numeric": {"tolerance": 0.1}})
    Numeric(tolerance=0.1)
    """
    if isinstance(spec, str) and spec.lstrip().startswith("{"):
        try:
            spec = json.loads(spec)
        except ValueError as error:
            raise InputError(f"the metric is no JSON: {error}") from error
    if isinstance(spec, str):
        return _named(spec, {})
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise InputError('a metric is a name, or {"name": {options}}')
    name, options = next(iter(spec.items()))
    if not isinstance(options, Mapping):
        raise InputError(f'the options of a metric are an object: {{"{name}": {{…}}}}')
    return _named(name, options)


def _named(name: str, options: Mapping[str, Any]) -> Metric:
    if name not in METRICS:
        raise InputError(f"no metric {name!r}; {nearest(name, METRICS)}")
    cls = getattr(import_module(f".{name}", __package__), METRICS[name])
    known = [field for field in cls.__dataclass_fields__ if not field.startswith("_")]
    for option in options:
        if option not in known:
            raise InputError(f"{name} has no option {option!r}; {nearest(option, known)}")
    hints = get_type_hints(cls, include_extras=True)
    given = {}
    for option, value in options.items():
        try:
            given[option] = TypeAdapter(hints[option]).validate_python(value)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]["msg"]
            raise InputError(f"{name}, {option}: {problem}") from error
    made: Metric = cls(**given)
    return made
