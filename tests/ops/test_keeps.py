"""What an operator says of the candidates it lets through is so."""

from __future__ import annotations

import json

import pytest

from polyarch.compiler.op import All, Each, Op, Reply, Source
from polyarch.compiler.registry import operator, operator_names
from polyarch.compiler.values import Usage

from .fake import Call, Fake, candidates, decide, judge

TEXTS = ("42", "43", "0", "42.0")
OPS: dict[str, tuple[dict[str, object], ...]] = {
    "branch": (),  # it reads no candidates
    "check": ({"equals": 42}, {"equals": 42, "keep": "passing"}),
    "combine": ({"scores": {"w": 2.0}},),
    "critique": ({},),
    "critique_all": ({},),
    "diversify": (),  # it reads no candidates
    "either": (),  # of one step it is all, of several the first
    "extend": ({"whom": "all"},),
    "fuse": ({"n": 4},),
    "gather": ({},),
    "item": (),  # an item of a list of one is that list
    "mbr": ({"keep": 3}, {"keep": 2, "utility": "chrf"}),
    "program": (),  # nothing of these is a program; its own tests say what comes out
    "race": ({"first": 2},),
    "rank": (
        {"keep": 4},
        {"keep": 4, "method": "pairwise"},
        {"keep": 2, "method": "pointwise"},
        {"keep": 4, "method": "checklist"},
        {"keep": 3, "method": "knockout"},
        {"keep": 3, "method": "swiss"},
        {"keep": 3, "method": "sorted"},
    ),
    "refine": ({},),
    "router": (),  # it reads no candidates
    "score": (
        {"by": "verdict"},
        {"by": "reward", "keep_at": 3.0},
        {"by": "grade"},
        {"by": "checklist", "keep_at": 1.0},
    ),
    "select": ({"by": "first", "keep": 3},),
    "table": (),  # it names a case
    "tools": (),  # it reads no candidates
    "unit_test": ({"tests": "words", "keep": 3},),
    "verify": (
        {},
        {"keep_at": 1.0},
        {"method": "constraints"},
        {"method": "constraints", "constraints": ("It is short.",), "keep_at": 1.0},
        {"method": "citations"},
    ),
    "vote": ({},),
    "watch": (),  # it reads no candidates
    "when": ({"holds": {"candidates": 2}},),
}


_MET = {True: "met", False: "not met"}


def script(call: Call) -> str | Reply:
    """A judge that likes short answers, and a reward model that likes long ones."""
    if call.wishes.wants == "reward":
        return Reply(0, "", "", "stop", Usage(), values=(float(len(call.shown[0])),))
    shown = call.shown or ("",)
    numbers = range(1, len(shown) + 1)
    forms: dict[str, object] = {
        "critique": {"critique": "so so"},
        "critique_all": {"critiques": [{"candidate": n, "critique": "so so"} for n in numbers]},
        "rank": {"ranking": sorted(numbers, key=lambda n: len(shown[n - 1]))},
        "pick": {"checklist": ["It is short."], "reason": "", "best": len(shown)},
        "write_checklist": {"checklist": ["It is short."]},
        "check_all": {"reason": "", "met": [len(shown[0]) < 3]},
        "compare": {"reason": "", "better": "first" if len(shown[0]) == 1 else "second"},
        "score": {"reason": "", "score": 1 / max(1, len(shown[0]))},
        "write_tests": {"tests": ["It is short."]},
        "list_constraints": {"constraints": ["It is short."]},
        "verify": {"reason": "", "verdict": "right" if "42" in shown[0] else "wrong"},
    }
    if call.role == "check":
        met = len(shown[0]) < 3
        passes = {True: "pass", False: "fail"} if "### Test" in call.text else _MET
        return json.dumps({"reason": "", "verdict": passes[met]})
    return json.dumps(forms[call.role]) if call.role in forms else f"new {call.index}"


def test_every_operator_on_candidates_is_tried() -> None:
    mine = {
        name
        for name in operator_names()
        if not issubclass(operator(name), Source)
        and operator(name).__module__.startswith("polyarch.")
    }
    assert set(OPS) == mine


@pytest.mark.parametrize(
    "op",
    [
        pytest.param(operator(name)(**given), id=f"{name}-{given}")
        for name, ways in OPS.items()
        for given in ways
    ],
)
def test_what_comes_out_is_what_it_says_it_keeps(op: Op) -> None:
    given = candidates(*TEXTS)
    if isinstance(op, Each):
        made = [c for c in judge(op, Fake(script), given) if c is not None]
    else:
        assert isinstance(op, All)
        made = decide(op, Fake(script), given)
    texts = [candidate.text for candidate in made]
    match op.keeps():
        case "all":
            assert texts == list(TEXTS)
        case "some":
            assert texts
            assert set(texts) <= set(TEXTS)
            assert texts != list(TEXTS)
        case "none":
            assert not set(texts) & set(TEXTS)
