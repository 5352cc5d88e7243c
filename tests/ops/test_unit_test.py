from __future__ import annotations

import json

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from polyarch.compiler.answers import answer_kind
from polyarch.compiler.execution import Outcome, Verdict
from polyarch.compiler.op import Amount, Mismatch
from polyarch.compiler.values import Message, Question
from polyarch.ops._tests import agreement, given_tests, single_asserts
from polyarch.ops.unit_test import UnitTest

from .fake import Call, Fake, Fed, candidates, decide, flow

CODE = answer_kind("code")
PASSES = {"good = 1": "abc", "good = 2": "abc", "half = 1": "ab", "bad = 1": "", "odd = 1": "c"}


def runner(source: str) -> Outcome:
    program, test = source.split("\n")
    return Outcome(Verdict.PASS if test in PASSES[program] else Verdict.FAIL, "no")


def record(tests: object) -> Question:
    return Question("task", (Message("user", "task"),), {"tests": tests})  # type: ignore[dict-item]


def fake(tests: object = ("a", "b", "c")) -> Fake:
    return Fake(runner=runner, question=record(tests), answer=CODE)


def test_the_score_is_the_share_of_tests_passed_best_first() -> None:
    ctx = fake()
    out = decide(UnitTest(given="tests"), ctx, candidates("bad = 1", "half = 1", "good = 1"))
    assert [c.text for c in out] == ["good = 1", "half = 1", "bad = 1"]
    assert [c.scores["tests"] for c in out] == [1.0, pytest.approx(2 / 3), 0.0]
    assert out[1].notes["tests"] == {"verdicts": {"pass": 2, "fail": 1}, "why": "no"}
    assert ctx.calls == []
    assert ctx.confined == [True]


def test_dual_agreement_counts_programs_and_tests() -> None:
    texts = ("half = 1", "bad = 1", "odd = 1", "good = 1", "good = 2")
    out = decide(UnitTest(given="tests", method="dual"), fake(), candidates(*texts))
    assert [(c.text, c.scores["tests"]) for c in out] == [
        ("good = 1", 6.0),
        ("good = 2", 6.0),
        ("half = 1", 2.0),
        ("odd = 1", 1.0),
        ("bad = 1", 0.0),
    ]


def test_many_wrong_programs_that_agree_can_outweigh_a_right_one_unless_rooted() -> None:
    texts = ("half = 1",) * 4 + ("good = 1",) * 2
    plain = decide(UnitTest(given="tests", method="dual", keep=1), fake(), candidates(*texts))
    rooted = UnitTest(given="tests", method="dual", root=True, keep=1)
    assert plain[0].text == "half = 1"
    assert decide(rooted, fake(), candidates(*texts))[0].text == "good = 1"


def test_equal_programs_run_once_and_count_as_many() -> None:
    ctx = fake()
    out = decide(UnitTest(given="tests", method="dual"), ctx, candidates(*["good = 1"] * 5))
    assert ctx.ran == ["good = 1"]
    assert out[0].scores["tests"] == 15.0


def test_the_first_that_passes_all_ends_it() -> None:
    ctx, fed = fake(), Fed(candidates("bad = 1", "half = 1", "good = 1", "good = 2"))
    out = decide(UnitTest(given="tests", method="first_pass"), ctx, fed)
    assert [c.text for c in out] == ["good = 1"]
    assert fed.closed
    assert fed.read == 3


def test_if_none_passes_all_the_best_comes_first() -> None:
    out = decide(
        UnitTest(given="tests", method="first_pass", keep=2),
        fake(),
        candidates("bad = 1", "half = 1", "odd = 1"),
    )
    assert [c.text for c in out] == ["half = 1", "odd = 1"]


def test_a_candidate_without_a_program_has_no_score_and_goes_last() -> None:
    out = decide(UnitTest(given="tests"), fake(), candidates("I cannot.", "bad = 1"))
    assert [c.text for c in out] == ["bad = 1", "I cannot."]
    assert "tests" not in out[1].scores
    assert out[1].notes["tests"] == {"verdicts": {}, "why": "it holds no program"}


def test_an_earlier_score_does_not_stand_for_this_one() -> None:
    (out,) = decide(UnitTest(given="tests"), fake(), candidates("I cannot.", tests=[0.9]))
    assert "tests" not in out.scores


def test_without_tests_the_order_stays_and_the_trace_says_so() -> None:
    ctx = fake(())
    out = decide(UnitTest(given="tests"), ctx, candidates("bad = 1", "good = 1"))
    assert [c.text for c in out] == ["bad = 1", "good = 1"]
    assert all("tests" not in c.scores for c in out)
    assert "fallback" in [what for what, _ in ctx.notes]


def test_no_candidate_passes_an_empty_set_of_tests_first() -> None:
    op = UnitTest(given="tests", method="first_pass")
    assert len(decide(op, fake(()), candidates("bad = 1", "good = 1"))) == 2


def test_written_tests_are_asserts_each_once_from_several_draws() -> None:
    written = [
        json.dumps({"tests": ["assert a == 1", "def f(): pass\nassert b", "not python"]}),
        json.dumps({"tests": ["assert  a == 1", "print(1)"]}),
        "?",
    ]

    def script(call: Call) -> str:
        return written[call.index]

    seen: list[str] = []

    def run(source: str) -> Outcome:
        seen.append(source.split("\n")[1])
        return Outcome(Verdict.PASS)

    ctx = Fake(script, runner=run, question=record(()), answer=CODE)
    (out,) = decide(UnitTest(n=3), ctx, candidates("good = 1"))
    assert seen == ["assert a == 1", "assert b"]
    assert {c.role for c in ctx.calls} == {"write_tests"}
    assert ctx.unreadable == 1
    assert out.usage.calls == 4  # three draws and a repair turn, charged to the best


def test_a_question_without_the_field_is_an_error() -> None:
    with pytest.raises(ValueError, match="no field 'checks'"):
        decide(UnitTest(given="checks"), fake(), candidates("good = 1"))


def test_flow_price_and_what_it_asks() -> None:
    op = UnitTest(model="m", n=3, keep=2, max_tokens=50)
    assert op.flow(flow(4, 9)).count == Amount(2, 2)
    assert op.flow(flow(4, 9)).scores == {"tests"}
    (calls,) = op.calls(flow(4, 9))
    assert calls.count == Amount(3, 6)
    bare = UnitTest(given="tests", method="first_pass")
    assert (bare.calls(flow(4)), bare.askings(), bare.roles()) == ((), (), frozenset())
    assert bare.flow(flow(4)).count == Amount(1, 4)
    assert bare.window(flow(4)) == 4
    assert bare.keeps() == "some"
    for wrong in (UnitTest(root=True), UnitTest(method="dual")):
        with pytest.raises(Mismatch):
            wrong.flow(flow(1))


def test_limits_are_what_was_said() -> None:
    ctx = fake()
    op = UnitTest(given="tests", seconds=3, memory=64, test_seconds=0.5, sandbox="none")
    decide(op, ctx, candidates("good = 1"))
    (limits,) = ctx.limits
    assert (limits.seconds, limits.test_seconds, limits.memory) == (3, 0.5, 64 << 20)
    assert ctx.confined == [False]
    assert op.unconfined()


@forall(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), max_size=8))
def test_dual_agreement_does_not_depend_on_the_order(rows: list[list[bool]]) -> None:
    told = agreement(rows)
    assert agreement(rows[::-1]) == told[::-1]
    for row, worth in zip(rows, told, strict=True):
        assert worth == rows.count(row) * sum(row)


def test_reading_tests() -> None:
    assert given_tests("assert f(1)") == ("assert f(1)",)
    assert given_tests('["a", "b"]') == ("a", "b")
    assert given_tests(["a"]) == ("a",)
    assert given_tests(" ") == ()
    with pytest.raises(ValueError, match="a list of texts"):
        given_tests([1])
    assert single_asserts("assert (") == ()
    assert single_asserts("x = 1\nassert x == 1\nassert x==1") == ("assert x == 1",)
