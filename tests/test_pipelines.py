"""Every pipeline of the library compiles and answers; the library names and caches them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest
from sandboxed import needs_sandbox

import polyarch
from polyarch import pipelines
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.values import TokenLogprob

REPLIES = {
    "solve": "12-2=10\nanswer: 10",
    "fuse": "12-2=10\nanswer: 10",
    "revise": "12-2=10\nanswer: 10",
    "verify": json.dumps({"reason": "all steps right", "verdict": "right"}),
    "critique": json.dumps({"critique": "all steps right"}),
    "compare": json.dumps({"reason": "both are right", "better": "tie"}),
}


PROGRAM = "def apples(): return 12 - 2"
CODE_REPLIES = {
    "solve": f"```python\n{PROGRAM}\n```",
    "write_tests": json.dumps({"tests": ["assert apples() == 10", "assert apples() > 0"]}),
}
PRINTING_REPLIES = {"solve": "```python\nprint(12 - 2)\n```"}
EXECUTING = {
    "codet": (CODE_REPLIES, PROGRAM),
    "program_of_thought": (PRINTING_REPLIES, "10"),
    "unit_test_rank": (CODE_REPLIES, PROGRAM),
    "until_tests_pass": (CODE_REPLIES, PROGRAM),
}
"""Those that run programs: what their models say, and what comes out."""

TASK = "Tom has 12 apples. Tom loses 2. How many apples does Tom have?"


def reply(request: Request, draw: Draw, replies: Mapping[str, str]) -> Script:
    text = replies[request.purpose.role]
    return Script(
        text,
        logprobs=() if request.logprobs is None else (TokenLogprob(text, -0.5),),
        prompt_logprobs=(TokenLogprob(request.prefix, -0.5),),
    )


@pytest.mark.parametrize("name", pipelines.names())
def test_it_answers_within_its_bounds(name: str) -> None:
    if name in EXECUTING:
        needs_sandbox()
    replies, answer = EXECUTING.get(name, (REPLIES, "10"))
    plan = polyarch.load(pipelines.path(name)).plan
    backend = Scripted(lambda request, draw: reply(request, draw, replies))
    asked = dict.fromkeys(plan.graph.models, backend)
    record = {"task": TASK, "tests": ["assert apples() == 10"]}
    with polyarch.Pipeline(plan, backends=asked) as pipe:
        result = pipe(record if plan.graph.question.kind == "record" else TASK)
    assert str(result) == answer
    assert plan.total.calls.low <= result.usage.calls <= plan.total.calls.high


@pytest.mark.parametrize("name", pipelines.names())
def test_it_says_what_it_is_and_needs_no_key_unless_it_writes_programs(name: str) -> None:
    graph = polyarch.load(pipelines.path(name)).plan.graph
    assert graph.name == name
    assert graph.about.endswith(".")
    assert graph.source.endswith(")")
    asked = "openai/gpt-4o-mini" if name in EXECUTING else "embedded/abacus"
    assert {model.model for model in graph.models.values()} == {asked}


def test_a_pipeline_is_an_attribute_and_loaded_once() -> None:
    from polyarch.pipelines import verified_vote

    assert isinstance(verified_vote, polyarch.Pipeline)
    assert verified_vote is pipelines.verified_vote


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match='did you mean "verified_vote"'):
        pipelines.verifed_vote  # noqa: B018
    with pytest.raises(polyarch.PolyarchError, match='did you mean "single"'):
        pipelines.path("singel")


def test_all_pipelines_are_listed() -> None:
    assert len(pipelines.names()) >= 10
    assert dir(pipelines) == sorted({*pipelines.names(), "names", "path", "spaces"})


def test_importing_the_library_loads_nothing() -> None:
    code = "import sys, polyarch.pipelines; print('yaml' in sys.modules, 'pydantic' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert printed.stdout.split() == [b"False", b"False"]
