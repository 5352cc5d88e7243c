"""Scores by a reward model, by the probability of the text, by the probability of a verdict."""

from __future__ import annotations

import re
from dataclasses import replace
from math import inf, isclose, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from polyarch.compiler.model import Capability
from polyarch.compiler.op import Amount, Reply
from polyarch.compiler.values import Candidate, TokenLogprob, Usage
from polyarch.ops.score import Score

from .fake import Call, Fake, candidate, candidates, flow, judge, says


def reply(**fields: object) -> Reply:
    return Reply(0, "", "m", "stop", Usage(), **fields)  # type: ignore[arg-type]


def tokens(*pairs: tuple[str, float]) -> tuple[TokenLogprob, ...]:
    return tuple(TokenLogprob(text, logprob) for text, logprob in pairs)


def scored(op: Score, said: Reply, text: str = "6*7=42") -> tuple[Candidate | None, Fake]:
    ctx = Fake(says(said))
    (made,) = judge(op, ctx, [candidate(text)])
    return made, ctx


def test_a_reward_is_what_the_model_gives_the_chat_with_its_reply() -> None:
    made, ctx = scored(Score(model="rm", by="reward"), reply(values=(-3.5,)))
    assert made is not None
    assert dict(made.scores) == {"reward": -3.5}
    (call,) = ctx.calls
    assert call.wishes.wants == "reward"
    assert (call.role, call.shown, call.model) == ("score", ("6*7=42",), "rm")
    assert [m.role for m in call.messages] == ["system", "user", "assistant"]
    assert call.messages[-1].text == "6*7=42"
    assert made.usage == Usage(calls=1)


@pytest.mark.parametrize("values", [(), (1.0, 2.0), (nan,), (inf,)])
def test_what_is_no_reward_is_no_score(values: tuple[float, ...]) -> None:
    made, ctx = scored(Score(by="reward"), reply(values=values))
    assert made is not None
    assert dict(made.scores) == {}
    assert ctx.unreadable == 1


def test_the_log_probability_is_that_of_the_tokens_that_make_up_the_text() -> None:
    told = reply(
        prompt_logprobs=tokens(
            ("What", -9.0), ("?", -9.0), ("\n", -9.0), ("6*7", -0.5), ("=42", -1)
        )
    )
    made, ctx = scored(Score(by="logprob"), told)
    assert made is not None
    assert made.scores["logprob"] == -0.75
    (call,) = ctx.calls
    assert (call.wishes.prefix, call.wishes.prompt_logprobs) == ("6*7=42", 0)
    assert call.role == "solve"
    assert call.messages == ctx.question.messages


@given(st.lists(st.floats(-20, 0), min_size=1, max_size=6), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_the_exponent_is_that_of_the_length(logs: list[float], exponent: float) -> None:
    told = tokens(("x", -7.0), *((chr(97 + n), p) for n, p in enumerate(logs)))
    text = "".join(token.token for token in told[1:])
    op = Score(by="logprob", length_exponent=exponent)
    made, _ = scored(op, reply(prompt_logprobs=told), text)
    assert made is not None
    assert isclose(made.scores["logprob"], sum(logs) / len(logs) ** exponent, abs_tol=1e-9)


@pytest.mark.parametrize(
    ("told", "text", "score"),
    [
        (tokens(("?", -9), (" 42", -0.5)), "42", -0.5),  # a blank belongs to the token
        (tokens(("?", -9), ("42", -0.5)), "42\n", -0.5),  # a template strips the reply
        (tokens(("?", -9), ("42", -0.5), ("\n", -0.1)), "42\n", -0.3),
        (tokens(("?", -9), ("?42", -0.5)), "42", -0.5),  # shared with what stands before
        (tokens(("?", -9), ("42", -0.5), ("<end>", -1.0)), "42", None),
        (tokens(("?", -9), ("42", -inf)), "42", None),
        (tokens(("?", -9), ("4\ufffd", -1)), "42", None),
        (tokens(("2", -1)), "42", None),
        (tokens(("?", -9)), "", None),
        ((), "42", None),
    ],
)
def test_tokens_are_held_against_the_text(
    told: tuple[TokenLogprob, ...], text: str, score: float | None
) -> None:
    made, ctx = scored(Score(by="logprob"), reply(prompt_logprobs=told), text)
    assert made is not None
    assert made.scores.get("logprob") == score
    assert ctx.unreadable == (score is None)


@pytest.mark.parametrize(
    ("top", "score"),
    [
        ({"Yes": 0.6, "No": 0.2}, 0.75),
        ({" yes": 0.2, "YES": 0.1, "no ": 0.1, "maybe": 0.6}, 0.75),
        ({"Yes": 0.5}, 1.0),
        ({"no": 0.5, "Hm": 0.4}, 0.0),
        ({"Hm": 0.9}, None),
    ],
)
def test_a_verdict_is_the_share_of_yes(top: dict[str, float], score: float | None) -> None:
    first = next(iter(top))
    alternatives = tuple((token, log(p)) for token, p in top.items())
    said = reply(logprobs=(TokenLogprob(first, log(top[first]), alternatives),))
    made, ctx = scored(Score(by="verdict"), said)
    assert made is not None
    got = made.scores.get("verdict")
    assert got is None if score is None else got is not None and isclose(got, score, abs_tol=1e-12)
    assert ctx.unreadable == (score is None)
    (call,) = ctx.calls
    assert call.wishes.logprobs == 5
    assert "6*7=42" in call.text


def test_a_verdict_without_probabilities_is_unreadable() -> None:
    made, ctx = scored(Score(by="verdict"), reply())
    assert made is not None
    assert dict(made.scores) == {}
    assert ctx.unreadable == 1


def test_a_score_from_before_does_not_stand_for_this_one() -> None:
    ctx = Fake(says(reply()))
    given_ = candidates("42", reward=[0.9])
    (made,) = judge(Score(by="reward"), ctx, given_)
    assert made is not None
    assert "reward" not in made.scores


def test_into_names_the_score_and_keep_at_drops() -> None:
    def script(call: Call) -> Reply:
        return reply(values=(float(call.shown[0]),) if call.shown[0] != "?" else ())

    ctx = Fake(script)
    kept = judge(Score(by="reward", into="rm", keep_at=2.0), ctx, candidates("1", "2", "?", "3"))
    assert [None if one is None else dict(one.scores) for one in kept] == [
        None, {"rm": 2.0}, None, {"rm": 3.0},
    ]  # fmt: skip
    assert [note for note, _ in ctx.notes] == ["dropped", "dropped"]
    assert ctx.unreadable == 1


def test_what_it_needs_promises_and_costs() -> None:
    needs = {by: Score(model="m", by=by).asks() for by in ("reward", "logprob", "verdict")}  # type: ignore[arg-type]
    assert needs == {
        "reward": {Capability.REWARD},
        "logprob": {Capability.PROMPT_LOGPROBS, Capability.CONTINUATION},
        "verdict": {Capability.LOGPROBS},
    }
    assert Score(by="logprob", thinking=4).asks() > {Capability.THINKING}
    assert Score(by="reward", into="x").flow(flow(4)).scores == {"x"}
    assert Score(by="reward", keep_at=1).flow(flow(4)).count == Amount(0, 4)
    (reward,) = Score(model="m", by="reward").calls(flow(4))
    assert (reward.count, reward.completion) == (Amount(4, 4), Amount(0, 0))
    assert reward.prompt == Amount(110, 220)
    (verdict,) = Score(model="m", by="verdict", thinking=9).calls(flow(4))
    assert verdict.completion == Amount(1, 10)


@pytest.mark.parametrize(
    "arguments",
    [
        {"by": "verdict", "prompt": "Is it right?"},
        {"by": "reward", "prompt": "Is {candidate} right?"},
        {"by": "reward", "length_exponent": 1},
        {"by": "logprob", "length_exponent": -1},
        {"by": "taste"},
        {},
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Score.model_validate(arguments)


def test_a_prompt_stands_for_the_question() -> None:
    ctx = Fake(says(reply(values=(1.0,))))
    judge(Score(by="reward", prompt="Solve: {question}"), ctx, [candidate("42")])
    assert [m.text for m in ctx.calls[0].messages] == [
        "Be brief.",
        "Solve: What is 6 * 7?",
        "42",
    ]


def ranked_tokens(*rows: tuple[str, float, tuple[float, ...]]) -> tuple[TokenLogprob, ...]:
    """Tokens with their probabilities and those of the likeliest ones."""
    return tuple(
        TokenLogprob(text, log(p), tuple((str(n), log(q)) for n, q in enumerate(top)))
        for text, p, top in rows
    )


def test_self_certainty_is_the_mean_distance_from_uniform_of_the_likeliest() -> None:
    told = ranked_tokens(
        ("?", 0.1, (0.5, 0.4)),
        ("6*7=", 0.5, (0.5, 0.25, 0.001)),  # the third is the token itself, not among the two
        ("42", 0.3, (0.3, 0.3)),
    )
    made, ctx = scored(Score(by="certainty", alternatives=2), reply(prompt_logprobs=told))
    assert made is not None
    # Of 2/3 and 1/3: -log 2 - (log 2/3 + log 1/3) / 2; of halves: 0.
    far = -log(2) - (log(2 / 3) + log(1 / 3)) / 2
    assert isclose(made.scores["certainty"], far / 2)
    assert ctx.calls[0].wishes.prompt_logprobs == 2


def test_a_margin_is_that_of_the_answers_tokens_alone() -> None:
    told = ranked_tokens(
        ("?", 0.1, (0.5, 0.4)),
        ("6*7=42\n", 0.5, (0.5, 0.4)),
        ("answer:", 0.9, (0.9, 0.1)),
        (" 4", 0.75, (0.75, 0.25)),
        ("2", 0.2, (0.6, 0.2)),
        (".", 0.2, (0.3, 0.2)),
    )
    op, text = Score(by="margin"), "6*7=42\nanswer: 42."
    ctx = Fake(says(reply(prompt_logprobs=told)))
    (made,) = judge(op, ctx, [answered(text, "42", ctx)])
    assert made is not None
    assert isclose(made.scores["margin"], (0.5 + 0.4) / 2)
    for exponent, score in ((0, log(0.75) + log(0.2)), (1, (log(0.75) + log(0.2)) / 2)):
        op = Score(by="answer", length_exponent=exponent)
        (made,) = judge(op, ctx, [answered(text, "42", ctx)])
        assert made is not None
        assert isclose(made.scores["answer"], score)


def answered(text: str, answer: str, ctx: Fake) -> Candidate:
    read = ctx.answer.read(text)
    assert read is not None
    assert read.text == answer
    return replace(candidate(text), answer=read)


def test_without_an_answer_nobody_is_asked_for_its_probability() -> None:
    ctx = Fake(says(reply()))
    (made,) = judge(Score(by="margin"), ctx, [replace(candidate("x"), answer=None)])
    assert made is not None
    assert "margin" not in made.scores
    assert ctx.calls == []
    (priced,) = Score(by="margin", model="m").calls(flow(3, 4))
    assert priced.count == Amount(0, 4)


def test_a_channel_reads_the_question_from_the_candidate() -> None:
    told = tokens(("x", -9), ("What is ", -1), ("6 * 7?", -2))
    made, ctx = scored(Score(by="channel", length_exponent=0), reply(prompt_logprobs=told))
    assert made is not None
    assert made.scores["channel"] == -3
    (call,) = ctx.calls
    assert call.wishes.prefix == "What is 6 * 7?"
    assert "6*7=42" in call.text
    assert "What is" not in call.text


def test_a_grade_is_over_ten_and_an_unreadable_one_is_none() -> None:
    made = judge(
        Score(by="grade"),
        Fake(lambda call: '{"reason": "", "score": 7}' if "a" in call.shown else "7"),
        candidates("a", "b"),
    )
    assert [None if one is None else dict(one.scores) for one in made] == [{"grade": 0.7}, {}]
    assert Score(by="grade").max_tokens is None
    assert Score(by="verdict").max_tokens == 1
    assert Score(by="grade").prefers().keys() == {Capability.GUIDED_JSON}


def test_a_checklist_is_written_once_and_scores_the_share_met() -> None:
    def script(call: Call) -> str:
        if call.role == "write_checklist":
            return '{"checklist": ["It is even.", "It is 42.", "It is even."]}'
        met = {"a": [True, True], "b": [True, False], "c": [True]}[call.shown[0]]
        return f'{{"reason": "", "met": {str(met).lower()}}}'

    ctx = Fake(script)
    made = judge(Score(by="checklist"), ctx, candidates("a", "b", "c"))
    assert [one and one.scores.get("checklist") for one in made] == [1.0, 0.5, None]
    assert sum(call.role == "write_checklist" for call in ctx.calls) == 1
    assert made[1] is not None
    assert made[1].notes["checklist"] == [["It is even.", True], ["It is 42.", False]]
    assert "1. It is even.\n2. It is 42." in ctx.calls[-1].text


def test_no_checklist_is_no_score() -> None:
    for said in ('{"checklist": []}', "?"):
        made = judge(Score(by="checklist", most=2), Fake(says(said)), candidates("a"))
        assert made[0] is not None
        assert dict(made[0].scores) == {}


def test_the_price_of_a_checklist() -> None:
    given_ = Score(by="checklist", checklist=("x",), model="m", max_tokens=10)
    (priced,) = given_.calls(flow(3, 4))
    assert priced.count == Amount(3, 8)
    checks, writes = Score(by="checklist", model="m", max_tokens=10).calls(flow(3, 4))
    assert (checks.count, writes.count) == (Amount(0, 8), Amount(1, 2))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"by": "margin", "length_exponent": 1}, "is for by logprob, answer, channel, not"),
        ({"by": "logprob", "alternatives": 3}, "alternatives is for by certainty, not for"),
        ({"by": "grade", "checklist": ["x"]}, "checklist is for by checklist, not for"),
        ({"by": "checklist", "checklist": ["x"], "most": 3}, "most is for a checklist that"),
        ({"by": "checklist", "prompt": "{candidate}?"}, "names {checklist}"),
        ({"by": "channel", "prompt": "{candidate} {question}"}, "{question} is not shown"),
    ],
)
def test_what_a_method_cannot_use_is_refused(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(told)):
        Score.model_validate(arguments)
