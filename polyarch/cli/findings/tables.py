"""Findings as tables for a terminal and as plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from rich.table import Table

from ...evaluation.analysis.abstention import Abstention
from ...evaluation.analysis.cost import IdealTime, Worth
from ...evaluation.analysis.coverage import Coverage
from ...evaluation.analysis.diversity import Diversity
from ...evaluation.analysis.forecast import Forecast
from ...evaluation.analysis.judges import Agreement, Judge
from ...evaluation.analysis.models import Errors
from ...evaluation.analysis.resampling import Resampling
from ...evaluation.analysis.saturation import Saturation
from ...evaluation.analysis.selective import Selective
from ...evaluation.analysis.split import Split
from ...evaluation.analysis.subsets import Ensembles
from ...evaluation.analysis.verifier import Verifier
from ...evaluation.attribution.failures import Failures
from ...evaluation.attribution.faithfulness import Faithfulness
from ...evaluation.attribution.steps import Steps
from ...evaluation.intervals import Interval
from ...evaluation.metrics.calibration import Calibration
from . import cost, draws, judges, models, scores, traces
from .words import Rows

__all__ = ["plain", "tables"]

_TABLES: Mapping[type, Callable[[Any, str], Iterator[Rows]]] = MappingProxyType(
    {
        Coverage: draws.coverage,
        Forecast: draws.forecast,
        Saturation: draws.saturation,
        Diversity: draws.diversity,
        Split: draws.split,
        Verifier: scores.verifier,
        Resampling: scores.resampling,
        Selective: scores.selective,
        Abstention: scores.abstention,
        Calibration: scores.calibration,
        Judge: judges.judge,
        Agreement: judges.agreement,
        Errors: models.errors,
        Ensembles: models.ensembles,
        IdealTime: cost.ideal_time,
        Worth: cost.worth,
        Steps: traces.steps,
        Failures: traces.failures,
        Faithfulness: traces.faithfulness,
    }
)
"""By what was found, what shows it under a name."""


def tables(found: Sequence[tuple[str, object]]) -> Iterator[tuple[str, Table]]:
    """The tables of findings with their titles; those of one kind come together in one."""
    kinds: dict[str, tuple[Sequence[str], list[Sequence[str]]]] = {}
    for name, result in found:
        for title, head, rows in _TABLES[type(result)](result, name):
            kinds.setdefault(title, (head, []))[1].extend(rows)
    for title, (head, rows) in kinds.items():
        table = Table(box=None, pad_edge=False, header_style="bold")
        for place, column in enumerate(head):
            table.add_column(column, justify="right" if place else "left", overflow="fold")
        for row in rows:
            table.add_row(*row)
        yield title, table


def plain(value: Any) -> Any:
    """A result as values of JSON: no number is None, pairs of names are joined by " & "."""
    if isinstance(value, Interval):
        return {name: plain(own) for name, own in value._asdict().items()}
    if is_dataclass(value):
        return {own.name: plain(getattr(value, own.name)) for own in fields(value)}
    if isinstance(value, Mapping):
        return {
            " & ".join(key) if isinstance(key, tuple) else key: plain(own)
            for key, own in value.items()
        }
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, tuple | list):
        return [plain(own) for own in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
