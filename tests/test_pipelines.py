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
from polyarch.compiler.values import TokenLogprob, ToolCall

REPLIES = {
    "solve": "12-2=10\nanswer: 10",
    "fuse": "12-2=10\nanswer: 10",
    "revise": "12-2=10\nanswer: 10",
    "verify": json.dumps({"reason": "all steps right", "verdict": "right"}),
    "critique": json.dumps({"critique": "all steps right"}),
    "compare": json.dumps({"reason": "both are right", "better": "tie"}),
    "pick": json.dumps({"checklist": ["It counts what is left."], "reason": "", "best": 1}),
    "score": "Yes",
    "ask": "",
    "embed": "",
    "choose": "",
    "name_approaches": json.dumps({"approaches": ["a", "b", "c", "d", "e"]}),
    "solve_by": "Approach 1: take away\n12-2=10\nanswer: 10\nApproach 2: count\nanswer: 9",
}


PROGRAM = "def apples(): return 12 - 2"
CODE_REPLIES = {
    "solve": f"```python\n{PROGRAM}\n```",
    "write_tests": json.dumps({"tests": ["assert apples() == 10", "assert apples() > 0"]}),
}
PRINTING_REPLIES = {"solve": "```python\nprint(12 - 2)\n```"}
CHECKED_REPLIES = {
    **REPLIES,
    "translate": "```python\nprint(12 - 2)\n```",
}
WORD_REPLIES = {
    "solve": "10 apples",
    "write_tests": json.dumps({"tests": ["The answer is a number."]}),
    "check": json.dumps({"reason": "it is", "verdict": "pass"}),
}
NAMED = json.dumps({"arguments": {"expression": "12 - 2"}, "name": "calculator"})
EXECUTING = {
    "codet": (CODE_REPLIES, PROGRAM),
    "collaborative_verification": (CHECKED_REPLIES, "10"),
    "natural_language_programs": (PRINTING_REPLIES, "10"),
    "program_of_thought": (PRINTING_REPLIES, "10"),
    "unit_test_rank": (CODE_REPLIES, PROGRAM),
    "until_tests_pass": (CODE_REPLIES, PROGRAM),
}
"""Those that run programs: what their models say, and what comes out."""

CALL = ToolCall("a", "calculator", '{"expression": "12 - 2"}')
CALLING = {
    "chain_of_abstraction": {"solve": '[1. calculator(expression="12 - 2")]. answer: ${1}'},
    "divide_then_aggregate": {"call": "answer: 10"},
    "llm_compiler": {"plan": '1. calculator("12 - 2")', "join": "answer: 10"},
}
"""Those that call tools: what their models say. The model that ships with the package cannot."""

WRITING = {
    **EXECUTING,
    "answer_a_passage": ({**REPLIES, "solve": "10"}, "10"),
    "archon_unit_tests": (WORD_REPLIES, "10 apples"),
    "checklist_choice": (REPLIES, REPLIES["solve"]),
    "choice_shuffling": (REPLIES, "B"),
    "diversity_of_thought": ({**REPLIES, "solve_by": "answer: 10"}, "10"),
    "diversity_of_thought_one_call": (REPLIES, "10"),
    "plan_and_budget": (
        {**REPLIES, "solve": json.dumps([{"ask": "What is 12 - 2?", "effort": 2}])},
        "10",
    ),
    "rule_based_confidence": ({**REPLIES, "solve": "10"}, "10"),
    "self_guided_confidence": ({**REPLIES, "solve": "10"}, "10"),
    "sharded_demonstrations": (REPLIES, "10"),
    "think_sum": ({**REPLIES, "solve": "12-2=10"}, "10"),
    "tool_call_vote": ({"solve": NAMED}, NAMED.replace(": ", ":").replace(", ", ",")),
}
"""Those and others whose work the embedded model does not know."""

SERVED = {"answer_a_passage": "openai/Qwen/Qwen2.5-7B-Instruct"}
"""Those that read probabilities of a prompt and write freely: a model on a server of one's own."""

TASK = "Tom has 12 apples. Tom loses 2. How many apples does Tom have?"


def reply(request: Request, draw: Draw, replies: Mapping[str, str]) -> Script:
    text = replies[request.purpose.role]
    if request.purpose.role == "choose":
        text = f"answer: {'AB'[request.purpose.shown.index('10')]}"
    turns = [message.role for message in request.messages]
    likely = ((text, -0.5), ("I", -1.0), ("No", -2.0))
    return Script(
        text,
        calls=(CALL,) if request.tools and "tool" not in turns else (),
        logprobs=() if request.logprobs is None else (TokenLogprob(text, -0.5, likely),),
        prompt_logprobs=(TokenLogprob(request.prefix, -0.5, likely),),
        values=(1.0, 0.5) if request.wants == "embedding" else (),
    )


@pytest.mark.parametrize("name", pipelines.names())
def test_it_answers_within_its_bounds(name: str) -> None:
    if name in EXECUTING:
        needs_sandbox()
    replies, answer = WRITING.get(name, (CALLING.get(name, REPLIES), "10"))
    plan = polyarch.load(pipelines.path(name)).plan
    backend = Scripted(lambda request, draw: reply(request, draw, replies))
    asked = dict.fromkeys(plan.graph.models, backend)
    record = {
        "task": TASK,
        "tests": ["assert apples() == 10"],
        "choices": ["9", "10"],
        "context": "Tom is left with 10.",
        **dict.fromkeys(("first", "second", "third"), "Ann has 3, loses 1 and has 2."),
    }
    with polyarch.Pipeline(plan, backends=asked) as pipe:
        result = pipe(record if plan.graph.question.kind == "record" else TASK)
    assert str(result) == answer
    called = [event.data["result"] for event in result.trace if event.what == "called"]
    assert set(called) == ({10} if name in CALLING else set())
    assert plan.total.calls.low <= result.usage.calls <= plan.total.calls.high


@pytest.mark.parametrize("name", pipelines.names())
def test_it_says_what_it_is_and_needs_no_key_where_the_embedded_model_will_do(
    name: str,
) -> None:
    graph = polyarch.load(pipelines.path(name)).plan.graph
    assert graph.name == name
    assert graph.about.endswith(".")
    assert graph.source.endswith(")")
    asked = "openai/gpt-4o-mini" if name in {*WRITING, *CALLING} else "embedded/abacus"
    asked = SERVED.get(name, asked)
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
