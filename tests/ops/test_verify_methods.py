"""What each method of `verify` finds, and what it never guesses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from polyarch.compiler.answers import answer_kind
from polyarch.compiler.execution import Outcome, Verdict
from polyarch.compiler.op import Amount
from polyarch.compiler.values import Candidate, Json, Message, Question
from polyarch.ops._verify_citations import cited, passages
from polyarch.ops.verify import Verify

from .fake import Call, Fake, candidate, candidates, flow, judge, says


def record(**fields: Json) -> Question:
    return Question("What is 6 * 7?", (Message("user", "What is 6 * 7?"),), fields)


def verify(method: str, **given: Any) -> Verify:
    return Verify.model_validate({"method": method, **given})


def verdict(judged: Candidate | None) -> Any:
    assert judged is not None
    return judged.notes["verdict"]


def counts(judged: Candidate | None) -> tuple[int, int, int]:
    note = verdict(judged)
    return note["right"], note["wrong"], note["unreadable"]


def program(line: str) -> str:
    return f"```python\n{line}\n```"


RUNS = {
    "print('6 * 7 is 42')": Outcome(Verdict.PASS, stdout="6 * 7 is 42\nRight\n", seconds=0.5),
    "print('wrong')": Outcome(Verdict.PASS, stdout="wrong\n"),
    "print('right?')": Outcome(Verdict.PASS, stdout="right, I think\n"),
    "print(6 * 7)": Outcome(Verdict.PASS, stdout="42.0\n"),
    "print(6 * 8)": Outcome(Verdict.PASS, stdout="48\n"),
    "1 / 0": Outcome(Verdict.FAIL, "ZeroDivisionError", stderr="Traceback: 1 / 0\n"),
}


def running(*replies: str) -> Fake:
    return Fake(says(*replies), runner=RUNS.__getitem__)


@pytest.mark.parametrize(
    ("line", "score", "reason"),
    [("print('6 * 7 is 42')", 1.0, "6 * 7 is 42"), ("print('wrong')", 0.0, "")],
)
def test_the_last_line_that_a_checking_program_prints_decides(
    line: str, score: float, reason: str
) -> None:
    ctx = running(program(line))
    (judged,) = judge(verify("program"), ctx, candidates("42"))
    assert judged is not None
    assert judged.scores == {"verify": score}
    assert verdict(judged)["reason"] == reason
    assert [call.role for call in ctx.calls] == ["write_check"]
    assert ctx.confined == [True]


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (program("1 / 0"), "Traceback: 1 / 0"),
        (program("print('right?')"), "right, I think"),
        ("It is right.", "There is no program"),
    ],
)
def test_a_program_that_tells_nothing_is_repaired_once(first: str, told: str) -> None:
    ctx = running(first, program("print('wrong')"))
    (judged,) = judge(verify("program"), ctx, candidates("42"))
    assert judged is not None
    assert judged.scores["verify"] == 0.0
    assert judged.usage.calls == 2
    assert [call.role for call in ctx.calls] == ["write_check", "repair"]
    assert told in ctx.calls[1].text
    assert first in ctx.calls[1].text
    assert len({call.index for call in ctx.calls}) == 2


def test_a_program_that_tells_nothing_twice_is_no_verdict() -> None:
    ctx = running(program("1 / 0"))
    given = candidate("42", scores={"verify": 1.0})
    (judged,) = judge(verify("program"), ctx, [given])
    assert judged is not None
    assert judged.scores == {}
    assert counts(judged) == (0, 0, 1)
    assert ctx.unreadable == 1
    assert len(ctx.calls) == 2
    assert judge(verify("program", keep_at=0), running(program("1 / 0")), [given]) == [None]


def test_several_programs_vote() -> None:
    script = {0: program("print('wrong')"), 2: program("1 / 0"), 8: program("print('right?')")}
    ctx = Fake(
        lambda call: script.get(call.index, program("print('6 * 7 is 42')")),
        runner=RUNS.__getitem__,
    )
    (judged,) = judge(verify("program", votes=3), ctx, candidates("42"))
    assert sum(counts(judged)) == 3
    assert judged is not None
    assert judged.scores["verify"] == 0.5 or judged.scores["verify"] == pytest.approx(2 / 3)
    assert len({call.index for call in ctx.calls}) == len(ctx.calls)


def test_a_solution_must_come_to_its_own_answer_as_a_program() -> None:
    ctx = Fake(
        lambda call: program("print(6 * 7)" if "good" in call.shown[0] else "print(6 * 8)"),
        runner=RUNS.__getitem__,
    )
    kind = answer_kind("number")
    given = [
        Candidate(text, kind.read(text), candidate(text, place).origin)
        for place, text in enumerate(("good: answer 42", "bad: answer 42", "none"))
    ]
    judged = judge(verify("translation"), ctx, given)
    assert [one and one.scores.get("verify") for one in judged] == [1.0, 0.0, None]
    assert verdict(judged[1])["reason"] == "the program comes to 48"
    assert verdict(judged[2])["reason"] == "it holds no answer"
    assert len(ctx.calls) == 2, "a candidate without an answer is not asked about"


def test_the_tests_of_a_field_decide_and_ask_nobody() -> None:
    def runner(source: str) -> Outcome:
        held = source.endswith("f() == 1")
        return Outcome(Verdict.PASS) if held else Outcome(Verdict.TIMEOUT, "no end")

    ctx = Fake(runner=runner, question=record(checks=["assert f() == 1", "assert f() == 2"]))
    op = verify("tests", given="checks")
    judged = judge(op, ctx, candidates("def f(): return 1", "I cannot."))
    assert [one and one.scores.get("verify") for one in judged] == [0.5, None]
    assert verdict(judged[0])["checks"][1] == {
        "of": "assert f() == 2",
        "verdict": "wrong",
        "why": "no end",
    }
    assert verdict(judged[1])["reason"] == "it holds no program"
    assert (op.askings(), op.calls(flow(3)), op.roles()) == ((), (), frozenset())


def test_tests_are_written_once_for_the_question() -> None:
    written = json.dumps({"tests": ["assert f()", "f()", "assert  f()"]})
    ctx = Fake(says(written), runner=lambda source: Outcome(Verdict.PASS))
    judged = judge(verify("tests"), ctx, candidates("x = 1", "x = 2", "x = 3"))
    assert [one and one.scores["verify"] for one in judged] == [1.0] * 3
    assert len(ctx.calls) == 1
    assert ("tests", {"tests": ("assert f()",)}) in ctx.notes


def test_without_a_readable_test_there_is_no_score() -> None:
    ctx = Fake(says("?"), runner=lambda source: Outcome(Verdict.PASS))
    (judged,) = judge(verify("tests"), ctx, candidates("x = 1"))
    assert judged is not None
    assert judged.scores == {}
    assert verdict(judged)["reason"] == "there are no tests"


def meets(call: Call) -> str:
    if "rhymes" in call.text:
        return "perhaps"
    met = "short" in call.text
    return json.dumps({"reason": "looked", "verdict": "met" if met else "not met"})


def test_each_constraint_has_one_verdict_and_the_score_is_the_share_met() -> None:
    ctx = Fake(meets)
    op = verify("constraints", constraints=["It is short.", "It is blue.", "It rhymes."])
    (judged,) = judge(op, ctx, candidates("a"))
    assert judged is not None
    assert judged.scores == {"verify": 0.5}
    assert counts(judged) == (1, 1, 1)
    assert [c["verdict"] for c in verdict(judged)["checks"]] == ["right", "wrong", "unreadable"]
    assert judged.usage.calls == 4
    (calls,) = op.model_copy(update={"model": "m", "max_tokens": 9}).calls(flow(2))
    assert calls.count == Amount(6, 12)


def test_constraints_are_taken_from_the_question_once() -> None:
    listed = json.dumps({"constraints": ["It is short.", "It is blue."]})
    ctx = Fake(lambda call: listed if call.role == "list_constraints" else meets(call))
    judged = judge(verify("constraints", most=2), ctx, candidates("a", "b"))
    assert [one and one.scores["verify"] for one in judged] == [0.5, 0.5]
    assert [call.role for call in ctx.calls].count("list_constraints") == 1
    assert "2 at most" in ctx.calls[0].text


def test_more_constraints_than_there_may_be_are_unreadable() -> None:
    ctx = Fake(says(json.dumps({"constraints": ["a", "b", "c"]})))
    (judged,) = judge(verify("constraints", most=2), ctx, candidates("a"))
    assert judged is not None
    assert judged.scores == {}
    assert ctx.unreadable == 1
    assert verdict(judged)["reason"] == "there are no constraints"


SOURCE = "The cat  sat\non the mat. The dog, however, slept."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('It says "the cat".', "wrong"),
        ('It says "The cat sat on the mat."', "right"),
        ('It says "The cat sat,"', "right"),
        ("It says “The dog, however”.", "right"),
        ("It says «The dog flew».", "wrong"),
        ('A 5" by 7" picture.', ""),
        ('An empty "" quotation, and "   ".', ""),
        ('"The cat" and "the moon"', "right wrong"),
        ('"The cat" [3]', "right"),
        ("As [1] says.", ""),
        ('"one\n\ntwo', ""),
    ],
)
def test_quotations_must_stand_in_the_source(text: str, expected: str) -> None:
    assert [c.verdict for c in cited(text, passages(SOURCE))] == expected.split()


@pytest.mark.parametrize(
    "source", [["The cat sat.", "The dog slept."], "[1] The cat sat.\n[2] The dog slept."]
)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"The cat" [1]', "right"),
        ('"The cat" [2]', "wrong"),
        ('"The cat"', "right"),
        ('"The cat"[7]', "wrong"),
        ("It slept [2], they say [3].", "right wrong"),
    ],
)
def test_marks_name_passages(source: Json, text: str, expected: str) -> None:
    assert [c.verdict for c in cited(text, passages(source))] == expected.split()


def test_citations_are_scored_and_ask_nobody() -> None:
    ctx = Fake(question=record(text=SOURCE))
    op = verify("citations", source="text")
    texts = ('"The cat" and "the moon"', "No quotation.")
    judged = judge(op, ctx, candidates(*texts))
    assert [one and one.scores.get("verify") for one in judged] == [0.5, None]
    assert verdict(judged[1])["reason"] == "it cites nothing"
    assert (ctx.calls, op.askings(), op.calls(flow(2))) == ([], (), ())
    (judged,) = judge(verify("citations"), ctx, candidates('You ask "What is 6 * 7?"'))
    assert counts(judged) == (1, 0, 0)
    with pytest.raises(ValueError, match="no field 'page' with a source; its fields: text"):
        judge(verify("citations", source="page"), ctx, candidates("a"))


@pytest.mark.parametrize(
    ("word", "score"),
    [("entailed", 1.0), ("contradicted", 0.0), ("neutral", 0.0), ("yes", None)],
)
def test_only_what_the_source_entails_is_right(word: str, score: float | None) -> None:
    ctx = Fake(says(json.dumps({"reason": "read", "verdict": word})), question=record(text=SOURCE))
    (judged,) = judge(verify("entailment", source="text", votes=2), ctx, candidates("a"))
    assert judged is not None
    assert judged.scores.get("verify") == score
    assert SOURCE in ctx.calls[0].text
    assert verdict(judged)["unreadable"] == (2 if score is None else 0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"given": "tests"}, "given is for method tests, not for judge"),
        ({"method": "citations", "votes": 2}, "votes is for method judge, program"),
        ({"method": "entailment"}, "method entailment wants source"),
        ({"method": "citations", "prompt": "{candidate}"}, "asks nobody"),
        ({"method": "constraints", "prompt": "{candidate}"}, "names {constraint}"),
        ({"prompt": "{candidate} {source}"}, "{source} is not shown by method judge"),
        ({"prompt": "Right?"}, "a prompt for method judge names {candidate}"),
        ({"method": "constraints", "constraints": ["a"], "most": 3}, "taken from the question"),
        ({"method": "constraints", "constraints": [" "]}, "must not be empty"),
    ],
)
def test_arguments_go_with_their_method(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told.replace("{", r"\{")):
        Verify.model_validate(given)


def test_bounds_hold_what_each_method_asks() -> None:
    settled = {"model": "m", "max_tokens": 10}
    count = {
        method: [c.count for c in verify(method, **settled).calls(flow(2, 3))]
        for method in ("judge", "program", "translation", "tests", "constraints")
    }
    assert count == {
        "judge": [Amount(2, 6)],
        "program": [Amount(2, 6)],
        "translation": [Amount(0, 6)],
        "tests": [Amount(0, 2)],
        "constraints": [Amount(0, 48), Amount(1, 2)],
    }
    assert Verify(sandbox="none", method="program").unconfined()
    assert not Verify().unconfined()
