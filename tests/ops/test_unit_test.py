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

from .fake import Call, Fake, Fed, candidates, decide, flow, says

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


def said(call: Call) -> str:
    """A judge: a candidate passes what its text names, and says nothing of what is unclear."""
    text, test = call.shown
    if "unclear" in test:
        return "hm"
    return json.dumps({"reason": "because", "verdict": "pass" if test in text else "fail"})


def words(*tests: str) -> Fake:
    return Fake(said, question=record(list(tests)))


def test_tests_in_words_are_judged_one_by_one() -> None:
    ctx = words("a", "b", "unclear")
    op = UnitTest(tests="words", given="tests")
    out = decide(op, ctx, candidates("b only", "none", "a and b", "b only"))
    assert [c.text for c in out] == ["a and b", "b only", "b only", "none"]
    assert [c.scores["tests"] for c in out] == [1.0, 0.5, 0.5, 0.0]
    assert out[1].notes["tests"] == {
        "verdicts": {"pass": 1, "fail": 1, "unreadable": 1},
        "why": "a because",
    }
    assert ctx.unreadable == 3, "equal texts are judged once"
    assert [c.usage.calls for c in out] == [4, 4, 0, 4]
    firsts = [call.index for call in ctx.calls if not call.turn]
    assert len(set(firsts)) == len(firsts) == 9
    assert {call.role for call in ctx.calls} == {"check"}


def test_no_readable_verdict_is_no_score_and_no_pass() -> None:
    out = decide(
        UnitTest(tests="words", given="tests", method="first_pass"),
        words("unclear"),
        candidates("a", "b", tests=[1.0, 1.0]),
    )
    assert [c.text for c in out] == ["a", "b"]
    assert all("tests" not in c.scores for c in out)


def test_an_unreadable_verdict_is_not_a_pass_of_the_first_that_passes_all() -> None:
    fed = Fed(candidates("a", "a b", "a c"))
    op = UnitTest(tests="words", given="tests", method="first_pass")
    assert [c.text for c in decide(op, words("a", "b"), fed)] == ["a b"]
    assert (fed.read, fed.closed) == (2, True)
    assert len(decide(op, words("a", "unclear"), candidates("a", "a b"))) == 2


def test_agreement_holds_for_tests_in_words() -> None:
    op = UnitTest(tests="words", given="tests", method="dual")
    out = decide(op, words("a", "b"), candidates("b!", "a?", "a."))
    assert [(c.text, c.scores["tests"]) for c in out] == [("a?", 2.0), ("a.", 2.0), ("b!", 1.0)]


def test_tests_in_words_are_written_by_one_model_and_judged_by_another() -> None:
    def script(call: Call) -> str:
        if call.role == "write_tests":
            return json.dumps({"tests": [f" t{call.index}", "both"]})
        return said(call)

    ctx = Fake(script, question=record(()))
    op = UnitTest.model_validate({"tests": "words", "n": 2, "model": "w", "judge": "j"})
    (out,) = decide(op, ctx, candidates("t0 both"))
    assert out.scores["tests"] == pytest.approx(2 / 3)
    asked = {call.role: call.model for call in ctx.calls}
    assert asked == {"write_tests": "w", "check": "j"}
    assert "Each test is one sentence" in ctx.calls[0].text


def test_too_many_tests_in_words_are_refused() -> None:
    op = UnitTest(tests="words", given="tests", most=2)
    with pytest.raises(ValueError, match="holds 3 tests, more than `most: 2`"):
        decide(op, words("a", "b", "c"), candidates("a"))
    ctx = Fake(says(json.dumps({"tests": ["a", "b", "c"]})), question=record(()))
    decide(UnitTest(tests="words", most=2), ctx, candidates("a"))
    assert ctx.unreadable == 1


def test_price_and_askings_of_tests_in_words() -> None:
    op = UnitTest.model_validate(
        {"tests": "words", "n": 2, "most": 5, "model": "w", "max_tokens": 50, "judge": "j"}
    )
    assert [asking.model for asking in op.askings()] == ["w", "j"]
    assert op.askings()[1].max_tokens == 50
    writing, judging = op.calls(flow(4))
    assert (writing.model, writing.count) == ("w", Amount(2, 4))
    assert (judging.model, judging.count, judging.depth) == ("j", Amount(0, 80), Amount(0, 4))
    assert op.roles() == {"write_tests", "check"}
    assert not op.unconfined()
    again = op.with_askings([a.model_copy(update={"top_p": 0.5}) for a in op.askings()])
    assert [a.top_p for a in again.askings()] == [0.5, 0.5]
    with pytest.raises(ValueError, match="0 askings for 2"):
        op.with_askings([])
    for wrong in ({"judge": "j"}, {"tests": "words", "seconds": 3}):
        with pytest.raises(ValueError, match="is for `tests: "):
            UnitTest.model_validate(wrong)
