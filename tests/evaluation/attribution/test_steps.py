"""What each step adds, where it is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sim import compiled
from traced import trace_of

from polyarch.backends.base import Draw, Request
from polyarch.backends.scripted import Scripted
from polyarch.compiler.errors import InputError
from polyarch.compiler.spec import Budget
from polyarch.evaluation.attribution import Live, Part, Steps, step_attribution
from polyarch.evaluation.data import Item, dataset
from polyarch.evaluation.data.dataset import Dataset

CHECKED = """\
name: checked
answer: number
models: {m: {model: scripted/x, price: {prompt: 1, completion: 4}}}
steps:
  drafts: {op: generate, n: 4}
  checked: {op: verify}
  answer: {op: vote, weight: verify}
"""

QUESTIONS = {f"hard{n}": f"hard {n}" for n in range(3)} | {
    f"easy{n}": f"easy {n}" for n in range(5)
}


def reply(request: Request, draw: Draw) -> str:
    """Right is 4: of hard questions the third draw alone, and only the verifier knows."""
    match request.purpose.role:
        case "solve":
            right = "easy" in request.purpose.question or draw.index == 2
            return f"the answer is {4 if right else 3}"
        case "verify":
            verdict = "right" if "is 4" in request.purpose.shown[0] else "wrong"
            return json.dumps({"reason": "so", "verdict": verdict})
        case "critique":
            return json.dumps({"critique": "wrong" if "is 3" in request.purpose.shown[0] else "ok"})
        case _:
            fixed = any("wrong" in text for text in request.purpose.shown)
            return "the answer is 4" if fixed else "the answer is 3"


def data() -> Dataset:
    return dataset("d", [Item(id, text, "4") for id, text in QUESTIONS.items()], "numeric")


def told(text: str, path: Path, **more: object) -> tuple[Steps, dict[str, Part]]:
    plan = compiled(text)
    backend = {name: Scripted(reply) for name in plan.graph.models}
    trace = trace_of(plan, backend, QUESTIONS, path / "t.jsonl")
    found = step_attribution(trace, data(), **more)  # type: ignore[arg-type]
    return found, {part.change: part for part in found.parts}


def test_what_a_verifier_a_vote_and_half_the_draws_add(tmp_path: Path) -> None:
    found, parts = told(CHECKED, tmp_path)
    assert (found.score.estimate, found.items, found.failed) == (1.0, 8, 0)
    verifier = parts["without checked"]
    assert verifier.gain is not None
    assert verifier.gain.estimate == pytest.approx(3 / 8)
    assert verifier.gain.low >= 0
    assert (verifier.missing, verifier.calls) == (0, 4)
    assert verifier.per_call == pytest.approx(3 / 32)
    assert verifier.bounds == pytest.approx((3 / 8, 3 / 8))
    halved = parts["drafts: n 4 → 2"]
    assert halved.gain is not None
    assert halved.gain.estimate == pytest.approx(3 / 8)
    assert halved.calls == 4
    first = parts["without answer"]
    assert first.gain is not None
    assert first.gain.estimate == pytest.approx(3 / 8)
    assert first.usd > 0


def test_what_cannot_be_taken_out_says_why(tmp_path: Path) -> None:
    _, parts = told(CHECKED, tmp_path)
    part = parts["without drafts"]
    assert (part.gain, part.runs) == (None, 0)
    assert part.why == "checked reads nothing else"


REFINED = """\
name: refined
answer: number
models: {m: scripted/x}
steps:
  draft: {op: generate}
  critique: {op: critique}
  better: {op: refine}
"""


def test_replies_that_nobody_heard_are_missing_and_bounded(tmp_path: Path) -> None:
    found, parts = told(REFINED, tmp_path)
    part = parts["without critique"]
    assert (part.gain, part.missing) == (None, 8)
    whole = found.score.estimate
    assert part.bounds == pytest.approx((whole - 1, whole))
    assert "does not hold" in part.why
    # Of the last step without what it reads nothing is missing.
    better = parts["without better"]
    assert better.missing == 0
    assert better.gain is not None
    assert better.gain.estimate == pytest.approx(3 / 8 - 5 / 8)


def test_models_that_are_given_are_asked_for_what_is_missing_and_no_more(tmp_path: Path) -> None:
    backend = Scripted(reply)
    live = Live(compiled(REFINED), backends={"m": backend})
    _, parts = told(REFINED, tmp_path, models=live)
    part = parts["without critique"]
    assert part.missing == 0
    assert part.gain is not None
    assert part.gain.estimate == pytest.approx(3 / 8)
    assert backend.log.asked == 8


def test_the_budget_ends_what_is_asked(tmp_path: Path) -> None:
    backend = Scripted(reply)
    live = Live(compiled(REFINED), backends={"m": backend})
    _, parts = told(REFINED, tmp_path, models=live, budget=Budget(calls=3))
    part = parts["without critique"]
    assert (part.missing, backend.log.asked) == (5, 3)
    assert "the budget does not reach it" in part.why


def test_a_step_that_moves_others_leaves_them_their_replies(tmp_path: Path) -> None:
    """Without the choice, the ratings are of the drafts in another order."""
    sorted_first = CHECKED.replace(
        "  answer:", "  best: {op: select, by: verify, keep: 4}\n  again: {op: critique}\n  answer:"
    )
    _, parts = told(sorted_first, tmp_path)
    assert parts["without best"].missing == 0
    gain = parts["without best"].gain
    assert gain is not None
    assert gain.estimate == 0


def test_questions_that_the_data_lack_are_told(tmp_path: Path) -> None:
    plan = compiled(CHECKED)
    trace = trace_of(plan, {"m": Scripted(reply)}, {"other": "easy"}, tmp_path / "t.jsonl")
    with pytest.raises(InputError, match="'other' of the trace is not in the data"):
        step_attribution(trace, data())
