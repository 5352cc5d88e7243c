"""A route goes where its router says, and asks nobody about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sim import compiled, simulate

from polyarch.backends.scripted import Scripted
from polyarch.compiler.fitted import Data, Router
from polyarch.ops._features import features

ROUTED = """
name: p
models: {weak: scripted/w, strong: scripted/s}
steps:
  answer:
    op: route
    by: {op: router, by: {file: router.json}}
    cases:
      weak: {op: generate, model: weak}
      strong: {op: generate, model: strong}
    otherwise: weak
"""


@pytest.mark.parametrize(
    ("question", "asked"),
    [("What is 2 + 2?", "weak"), ("Of 3, 4, 5, 6, 7 and 8, which 2 sum to 9?", "strong")],
)
def test_it_asks_the_case_that_was_learnt(question: str, asked: str, tmp_path: Path) -> None:
    many_numbers = 2
    made = Router(
        made="2026-01-01",
        pipeline="p",
        data=Data(file="d.jsonl", sha256="0" * 64, items=3),
        models={"weak": "scripted/w", "strong": "scripted/s"},
        cases=("weak", "strong"),
        buckets=16,
        coefficients={many_numbers: 10.0},
        intercept=0.0,
        threshold=0.5,
    )
    (tmp_path / "router.json").write_text(made.model_dump_json())
    backends = {name: Scripted(lambda request, draw: "so") for name in ("weak", "strong")}
    result = simulate(compiled(ROUTED, tmp_path), backends, question=question)
    assert result.candidates[0].origin.model == asked
    assert result.usage.calls == 1


def test_features_do_not_tell_one_number_from_another() -> None:
    assert features("Buy 12 pens, if 3 are red.", 64) == features("Buy 99 pens, if 7 are red.", 64)
    assert features("", 64) == features("", 64)
    assert all(0 <= at < 64 + 8 for at in features("some words of a question", 64))
