"""What every analysis promises: true examples, and results that say what they assume."""

from __future__ import annotations

import doctest
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

from polyarch.evaluation import analysis, attribution

MODULES = sorted(
    path.stem for path in Path(analysis.__path__[0]).glob("*.py") if path.stem != "__init__"
)
RESULTS = [
    analysis.Agreement,
    analysis.BetaBinomial,
    analysis.Coverage,
    analysis.Diversity,
    analysis.Ensembles,
    analysis.Errors,
    analysis.Forecast,
    analysis.IdealTime,
    analysis.Judge,
    analysis.PowerLaw,
    analysis.Resampling,
    analysis.Saturation,
    analysis.Selective,
    analysis.Split,
    analysis.Subset,
    analysis.Verifier,
    analysis.Worth,
    attribution.Failures,
    attribution.Faithfulness,
    attribution.Steps,
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_hold(name: str) -> None:
    assert doctest.testmod(import_module(f"polyarch.evaluation.analysis.{name}")).failed == 0


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: str(result.__name__))
def test_a_result_is_frozen_and_says_what_it_assumes(result: type) -> None:
    assert is_dataclass(result)
    assert result.__dataclass_params__.frozen
    (assumes,) = [own for own in fields(result) if own.name == "assumes"]
    assert isinstance(assumes.default, tuple)
    assert all(isinstance(line, str) and line for line in assumes.default)
    assert assumes.default
