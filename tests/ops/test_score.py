"""Scores by a reward model, by the probability of the text, by the probability of a verdict."""

from __future__ import annotations

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
