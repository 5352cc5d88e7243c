"""Every example runs on its own, prints something, and stays short."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import polyarch

EXAMPLES = Path(__file__).parent.parent / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*.py"))
PIPELINES = sorted(EXAMPLES.glob("*.yaml"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda file: file.stem)
def test_a_program_runs_and_prints(program: Path) -> None:
    if program.stem == "demo":
        pytest.skip("takes a minute: `make demo`")
    command = [sys.executable, "-W", "error", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 1
    assert not done.stderr


@pytest.mark.parametrize("file", PIPELINES, ids=lambda file: file.stem)
def test_a_pipeline_answers_the_question_above_it(file: Path) -> None:
    found = re.match(rf'# polyarch run examples/{file.name} "(.+)"\n', file.read_text())
    assert found is not None
    with polyarch.load(file) as pipe:
        assert str(pipe(found[1]))


def test_examples_are_short() -> None:
    for file in [*PROGRAMS, *PIPELINES]:
        lines = len(file.read_text().splitlines())
        assert lines <= (120 if file.stem == "demo" else 40), file.name
