"""Figures of recorded sets come out of pipelines and metrics as they were counted by hand."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
EXTRACTS = ROOT / "tests" / "data" / "recordings"
SETS = sorted(folder.name for folder in EXTRACTS.iterdir() if folder.is_dir())


@pytest.fixture(scope="module")
def recordings() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "recordings", ROOT / "benchmarks" / "recordings.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["recordings"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SETS)
def test_the_figures_of_an_extract(recordings: ModuleType, name: str) -> None:
    counted = json.loads((EXTRACTS / name / "figures.json").read_text())["figures"]
    found = recordings.figures(EXTRACTS / name)
    assert list(recordings.differences(found, counted)) == []
    assert recordings.count(found) >= 5


def test_a_figure_that_differs_is_told(recordings: ModuleType) -> None:
    assert list(recordings.differences({"mean": 0.12346}, {"mean": 0.1234})) == [
        "mean: 0.12346, recorded 0.1234"
    ]
    assert list(recordings.differences({"mean": 0.12344}, {"mean": 0.1234})) == []
    assert list(recordings.differences({"a": {"n": 3}}, {"a": {"n": 4}})) == [
        "a / n: 3, recorded 4"
    ]
