"""Which metrics score a data set: those that it names, or the one asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...compiler.errors import InputError
from ..data.dataset import Dataset
from .named import metric as named
from .score import Metric

__all__ = ["metrics_of"]


def metrics_of(
    data: Dataset, given: str | Mapping[str, Any] | Metric | None
) -> tuple[Mapping[str, Metric], str]:
    """The metric of every name that items give, or the one `given` for all of them; and what to
    call them together. Raises `InputError` for data that names none."""
    names = sorted({item.metric or data.metric for item in data.items})
    if given is not None:
        one = named(given) if isinstance(given, str | Mapping) else given
        told = given if isinstance(given, str) else repr(one)
        return dict.fromkeys({item.metric for item in data.items}, one), told
    if "" in names:
        raise InputError(f"{data.name} names no metric; say which with --metric")
    made = {name: named(name) for name in names}
    by_item = {item.metric: made[item.metric or data.metric] for item in data.items}
    return by_item, ", ".join(names)
