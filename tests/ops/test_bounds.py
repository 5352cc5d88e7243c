"""What operators promise of their calls and candidates, whatever a model says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyarch.compiler.op import All, Each, Reply
from polyarch.compiler.registry import operator
from polyarch.compiler.values import CUT, TokenLogprob, Usage

from .fake import Call, Fake, Fed, candidate, decide, flow, judge

PAIRED = {"orders": (1, 2)}
LISTED = {"orders": (1, 2, 3, 4)}
AGGREGATE = {"aggregate": ("share", "bradley_terry")}

ALL: dict[str, tuple[str, dict[str, Any]]] = {
    "listwise": ("rank", {"method": ("listwise",), **LISTED, **AGGREGATE}),
    "checklist of all": ("rank", {"method": ("checklist",), **LISTED}),
    "pairwise": ("rank", {"method": ("pairwise",), **PAIRED, **AGGREGATE}),
    "knockout": ("rank", {"method": ("knockout",), **PAIRED}),
    "swiss": ("rank", {"method": ("swiss",), "rounds": (None, 1, 2, 5, 12), **PAIRED}),
    "sorted": ("rank", {"method": ("sorted",), **PAIRED}),
    "pointwise": ("rank", {"method": ("pointwise",)}),
    "central": ("rank", {"method": ("central",)}),
    "mbr": ("mbr", {"utility": ("embedding",), "otherwise": ("first", "none")}),
    "fuse": ("fuse", {"most": (None, 2, 3), "n": (1, 2)}),
    "diversify": ("diversify", {"method": ("apart", "together"), "n": (2, 3)}),
    "branch": ("branch", {"k": (2, 3)}),
}
"""By name, an operator that reads everything, and what its arguments may be."""

EACH: dict[str, tuple[str, dict[str, Any]]] = {
    "reward": ("score", {"by": ("reward",)}),
    "answer": ("score", {"by": ("answer", "margin")}),
    "verdict": ("score", {"by": ("verdict",), "keep_at": (None, 0.5)}),
    "grade": ("score", {"by": ("grade",)}),
    "checklist": ("score", {"by": ("checklist",), "checklist": ((), ("short", "right"))}),
    "extend": ("extend", {"whom": ("cut", "all")}),
    "refine": ("refine", {}),
}
"""By name, an operator on single candidates."""


def reply(rng: Random) -> Reply:
    """A reply that tells of everything, some of it not to be used."""
    numbers = [rng.choice([0.0, -1.0, 2.0, float("nan")]) for _ in range(rng.randint(0, 2))]
    first = [(rng.choice(["Yes", "No", "\n", "x", "y"]), -rng.random()) for _ in range(3)]
    told = TokenLogprob(*first[0], tuple(first)) if rng.random() < 0.8 else None
    tokens = () if told is None else (told,)
    text = rng.choice(["42", "Approach 1: a\n42\n\nApproach 2: b\n7"])
    return Reply(
        0, text, "", "stop", Usage(), logprobs=tokens, prompt_logprobs=tokens, values=tuple(numbers)
    )


def form(call: Call, rng: Random) -> str:
    """What a judge fills in; now and then what it does not say."""
    many = len(call.shown)
    told: dict[str, dict[str, Any]] = {
        "rank": {"ranking": rng.sample(range(1, many + 1), many)},
        "pick": {"checklist": ["a"], "reason": "", "best": rng.randint(1, many + 1)},
        "compare": {"reason": "", "better": rng.choice(["first", "second", "tie"])},
        "score": {"reason": "", "score": rng.randint(0, 10)},
        "check_all": {"reason": "", "met": [rng.random() < 0.5 for _ in call.shown[1:]]},
        "write_checklist": {"checklist": ["a", "b"][: rng.randint(0, 2)]},
        "name_approaches": {"approaches": ["a", "b", "c"][: rng.randint(1, 3)]},
    }
    return json.dumps(told[call.role])


def model(rng: Random) -> Callable[[Call], str | Reply]:
    """A model of which, in some runs, much cannot be read."""
    unreadable = rng.choice([0.0, 0.3, 1.0])

    def say(call: Call) -> str | Reply:
        if call.messages:
            return reply(rng)
        return "?" if rng.random() < unreadable else form(call, rng)

    return say


def arguments(choices: dict[str, Any], rng: Random) -> dict[str, Any]:
    picked = {name: rng.choice(values) for name, values in choices.items()}
    return {"model": "m", "max_tokens": 10, **picked}


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=40)
@given(low=st.integers(0, 7), more=st.integers(0, 7), rng=st.randoms(use_true_random=False))
def test_calls_and_candidates_are_as_promised(name: str, low: int, more: int, rng: Random) -> None:
    kind, choices = ALL[name]
    high = max(2, low + more)
    told = arguments(choices, rng)
    if kind in ("rank", "mbr"):
        told["keep"] = rng.randint(1, high)
    op = operator(kind).model_validate(told)
    assert isinstance(op, All)
    edge, ctx = flow(low, high), Fake(model(rng))
    given_ = [candidate(f"text {i}", i) for i in range(rng.randint(low, high))]
    made = decide(op, ctx, Fed(given_ if op.reads else [], most=high if op.reads else 0))
    calls, count = op.calls(edge), op.flow(edge).count
    fewest, most = sum(c.count.low for c in calls), sum(c.count.high for c in calls)
    assert fewest <= len(ctx.calls) <= most
    assert count.low <= len(made) <= count.high


@pytest.mark.parametrize("name", EACH)
@settings(max_examples=40)
@given(low=st.integers(0, 4), more=st.integers(0, 4), rng=st.randoms(use_true_random=False))
def test_calls_about_each_are_as_promised(name: str, low: int, more: int, rng: Random) -> None:
    kind, choices = EACH[name]
    op = operator(kind).model_validate(arguments(choices, rng))
    assert isinstance(op, Each)
    edge, ctx = flow(low, low + more), Fake(model(rng))
    given_ = [
        replace(candidate(rng.choice(["", "Yes", "text"]), i), finish=rng.choice(["stop", CUT]))
        for i in range(rng.randint(low, low + more))
    ]
    made = [one for one in judge(op, ctx, given_) if one is not None]
    calls, count = op.calls(edge), op.flow(edge).count
    fewest, most = sum(c.count.low for c in calls), sum(c.count.high for c in calls)
    assert fewest <= len(ctx.calls) <= most
    assert count.low <= len(made) <= count.high
