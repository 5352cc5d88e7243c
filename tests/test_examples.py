"""Every pipeline among the examples answers the question above it; the demo stays readable.

That programs run and are short is a promise of the layout: `test_layout.py`.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

import polyarch

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_pipeline_answers_the_question_above_it(file: Path) -> None:
    found = re.match(rf"# polyarch run examples/{file.name} (.+)\n", file.read_text())
    assert found is not None
    (asked,) = shlex.split(found[1])
    with polyarch.load(file) as pipe:
        assert str(pipe(json.loads(asked) if asked.startswith("{") else asked))


def test_the_demo_is_short_enough_to_read() -> None:
    assert len((EXAMPLES / "demo.py").read_text().splitlines()) <= 120
