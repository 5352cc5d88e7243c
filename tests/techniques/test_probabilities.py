"""A vote by probabilities counts answers where no probabilities are told, and says so."""

from __future__ import annotations

from pathlib import Path

from sim import compiled, simulate

from polyarch import pipelines
from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Script, Scripted
from polyarch.compiler.lacks import lacks
from polyarch.compiler.model import Capability
from polyarch.compiler.values import TokenLogprob

TEXT = Path(pipelines.path("path_probability_vote")).read_text()
ANSWERS = ("4", "5", "4", "4")
"""By a draw's number; five is probable, and four frequent."""


def reply(request: Request, draw: Draw) -> Script:
    answer = ANSWERS[draw.index % 4]
    logprob = -1.0 if answer == "5" else -9.0
    told = () if request.logprobs is None else (TokenLogprob(answer, logprob),)
    return Script(f"{draw.index} so {answer}", logprobs=told)


def test_with_probabilities_the_probable_answer_wins() -> None:
    made = compiled(TEXT.replace("embedded/abacus", "scripted/x"))
    assert lacks(made.graph) == ()
    result = simulate(made, {"solver": Scripted(reply)})
    assert result.answer == "5"
    assert "fallback" not in result.candidates[0].notes


def test_without_them_the_frequent_one_wins_and_plan_and_trace_tell() -> None:
    named = "{model: scripted/x, options: {replies: [{texts: ['4']}], offers: [n, stop, seed]}}"
    made = compiled(TEXT.replace("embedded/abacus", named))
    (lack,) = lacks(made.graph)
    assert (lack.step, lack.capability) == ("drafts", Capability.LOGPROBS)
    offered = frozenset({Capability.DRAWS, Capability.STOP, Capability.SEED})
    result = simulate(made, {"solver": Scripted(reply, offers=offered)})
    assert result.answer == "4"
    assert result.candidates[0].notes["fallback"] == "nothing voted"
    assert [event.what for event in result.trace].count("without") == 1
