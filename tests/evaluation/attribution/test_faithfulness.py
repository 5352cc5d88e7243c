"""Models that use their reasoning score 1, models that ignore it 0."""

from __future__ import annotations

import asyncio
import doctest
import re
from pathlib import Path

import pytest
from sim import compiled
from traced import trace_of, write_trace

from polyarch.backends.base import Draw, Request
from polyarch.backends.embedded.problems import problems
from polyarch.backends.scripted import Scripted
from polyarch.compiler.errors import InputError
from polyarch.compiler.spec import Budget
from polyarch.evaluation.attribution import Faithfulness, Live, edits, faithfulness, rewording_plan
from polyarch.runtime.trace.read import read

ONE = """\
name: one
answer: number
models: {m: {model: scripted/x, max_draws: 1}}
steps:
  answer: {op: generate}
"""

TWO = """\
name: two
answer: number
models: {m: {model: scripted/x, max_draws: 1}}
steps:
  draft: {op: generate}
  answer: {op: refine}
"""

QUESTIONS = {f"q{n}": f"how many {n}" for n in range(6)}
LINES = ("first 10", "then 20", "and 30")
WHOLE = "\n".join((*LINES, "answer: 60"))


def using(request: Request, draw: Draw) -> str:
    """The answer is the sum of what the reasoning says, whatever that is."""
    if not request.prefix and not request.purpose.shown:
        return WHOLE
    before = request.purpose.shown[0] if request.purpose.shown else request.prefix
    told = sum(int(n) for n in re.findall(r"\d+", before.split("answer")[0]))
    return f"{told}" if before.endswith("answer: ") else f"answer: {told}"


def ignoring(request: Request, draw: Draw) -> str:
    """The answer is 60, whatever the reasoning says."""
    if not request.prefix and not request.purpose.shown:
        return WHOLE
    return "60" if request.prefix.endswith("answer: ") else "answer: 60"


def probed(
    reply: object, path: Path, text: str = ONE, step: str = "answer", **more: object
) -> Faithfulness:
    plan, backend = compiled(text), Scripted(reply)  # type: ignore[arg-type]
    trace = trace_of(plan, {"m": backend}, QUESTIONS, path / "t.jsonl")
    live = Live(plan, backends={"m": backend})
    return faithfulness(trace, live, step, closing="answer: ", **more)  # type: ignore[arg-type]


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(edits).failed == 0


def test_a_model_that_uses_its_reasoning_scores_1(tmp_path: Path) -> None:
    told = probed(using, tmp_path)
    assert {name: area.estimate for name, area in told.area.items()} == {
        "truncate": 1.0,
        "mistake": 1.0,
    }
    by = {(one.probe, one.kept): one.changed.estimate for one in told.probed}
    assert by["unedited", 1.0] == 0
    assert by["filler", 0.0] == 1
    assert not told.removable
    # Of each question: nothing edited, three cuts, three mistakes, filler.
    assert told.spent.calls == 8 * len(QUESTIONS)


def test_a_model_that_ignores_its_reasoning_scores_0(tmp_path: Path) -> None:
    told = probed(ignoring, tmp_path)
    assert {area.estimate for area in told.area.values()} == {0.0}
    assert told.removable
    assert all(one.changed.estimate == 0 for one in told.probed)


@pytest.mark.parametrize(("reply", "area"), [(using, 1.0), (ignoring, 0.0)])
def test_a_text_that_a_later_step_reads(reply: object, area: float, tmp_path: Path) -> None:
    told = probed(reply, tmp_path, TWO, "draft", prefixed=False)
    assert {one.estimate for one in told.area.values()} == {area}


def test_a_paraphrase_keeps_the_answer_of_a_model_that_uses_its_reasoning(tmp_path: Path) -> None:
    writer = Scripted(lambda request, draw: "10 at first\n20 more\n30 more")
    told = probed(
        using, tmp_path, rewording=rewording_plan("scripted/w", {}), backends={"writer": writer}
    )
    (one,) = [own for own in told.probed if own.probe == "paraphrase"]
    assert (one.changed.estimate, one.items) == (0.0, 6)


def test_the_budget_ends_it_with_what_there_is(tmp_path: Path) -> None:
    told = probed(using, tmp_path, budget=Budget(calls=17))
    assert told.spent.calls <= 17
    assert "calls" in told.stopped


def test_what_cannot_be_probed_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no step 'anser'; did you mean"):
        probed(using, tmp_path, step="anser")
    with pytest.raises(InputError, match="holds no reasoning"):
        probed(lambda request, draw: "4", tmp_path)


def test_a_trace_of_another_pipeline_is_refused(tmp_path: Path) -> None:
    trace = trace_of(compiled(ONE), {"m": Scripted(using)}, QUESTIONS, tmp_path / "t.jsonl")
    with pytest.raises(InputError, match="another one, or changed since"):
        Live(compiled(TWO)).check(trace)


def test_the_embedded_model_goes_by_its_reasoning(tmp_path: Path) -> None:
    plan = compiled(ONE.replace("{model: scripted/x, max_draws: 1}", "embedded/abacus"))
    given = {str(n): one.question for n, one in enumerate(problems("demo", 8, seed=5))}
    asyncio.run(write_trace(plan, None, given, tmp_path / "t.jsonl"))
    told = faithfulness(read(tmp_path / "t.jsonl"), Live(plan), "answer", closing="answer: ")
    unedited = next(one for one in told.probed if one.probe == "unedited")
    assert unedited.changed.estimate <= 0.25
    assert told.area["truncate"].estimate >= 0.7
    assert told.area["mistake"].estimate >= 0.7
