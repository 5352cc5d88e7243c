from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from polyarch.compiler.model import Capability
from polyarch.compiler.op import Amount, Reply, Wishes
from polyarch.compiler.values import Image, Message, Question, TokenLogprob, Usage
from polyarch.ops.generate import Generate

from .fake import SYSTEM, Fake, draw, flow, says


def test_sends_the_chat_of_the_question_unchanged() -> None:
    ctx = Fake(lambda call: f"It is {call.index}.")
    drawn = draw(Generate(n=3, model="solver"), ctx, range(1, 3))
    assert [c.answer and c.answer.text for c in drawn] == ["1", "2"]
    assert [c.origin.key for c in drawn] == ["here[1]", "here[2]"]
    assert [(c.role, c.messages) for c in ctx.calls] == [("solve", ctx.question.messages)] * 2
    assert drawn[0].usage.calls == 1


def test_a_prompt_of_its_own_keeps_system_messages_and_images() -> None:
    picture = Image("data:image/png;base64,AAAA")
    chat = (SYSTEM, Message("user", ("What is this? ", picture)))
    ctx = Fake(question=Question("What is this?", chat))
    draw(Generate(prompt=r"Think. {question} \boxed{x} {1, 2}"), ctx, range(1))
    sent = ctx.calls[0].messages
    assert sent[0] == SYSTEM
    assert sent[1] == Message("user", (r"Think. What is this? \boxed{x} {1, 2}", picture))


def test_no_answer_stays_a_candidate() -> None:
    (drawn,) = draw(Generate(), Fake(lambda call: "I do not know."), range(1))
    assert drawn.answer is None
    assert drawn.text == "I do not know."


def test_flow_groups_and_price() -> None:
    op = Generate(n=4, model="solver", max_tokens=50)
    assert op.groups() == (range(4),)
    assert op.flow(flow(0)).count == Amount(4, 4)
    assert op.flow(flow(0)).tokens == Amount(1, 50)
    (calls,) = op.calls(flow(0))
    assert calls.count == Amount(4, 4)
    assert calls.prompt == Amount(10, 20)
    assert calls.completion == Amount(1, 50)
    assert calls.depth == Amount(1, 1)
    assert op.roles() == {"solve"}


@pytest.mark.parametrize("wrong", [{"n": 0}, {"temperature": -1}, {"nn": 2}, {"top_p": 0}])
def test_refuses_wrong_arguments(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Generate.model_validate(wrong)


def test_log_probabilities_are_scores() -> None:
    told = tuple(TokenLogprob(text, logprob) for text, logprob in (("4", -0.5), ("2", -1.5)))
    said = Reply(0, "42", "m", "stop", Usage(), logprobs=told)
    ctx = Fake(says(said))
    (made,) = draw(Generate(model="m", logprobs=True), ctx, range(1))
    assert dict(made.scores) == {
        "logprob": -2.0,
        "logprob_mean": -1.0,
        "probability_mean": math.exp(-1.0),
    }
    assert ctx.calls[0].wishes == Wishes(logprobs=0)
    assert Generate(logprobs=True).asks() == {Capability.LOGPROBS}
    assert Generate(logprobs=True).flow(flow(0)).scores == set(made.scores)
    assert Generate().flow(flow(0)).scores == Generate().asks() == frozenset()


@pytest.mark.parametrize("logprobs", [(), (TokenLogprob("4", -math.inf),)])
def test_a_missing_probability_is_no_score_and_told(logprobs: tuple[TokenLogprob, ...]) -> None:
    ctx = Fake(says(Reply(0, "4", "m", "stop", Usage(), logprobs=logprobs)))
    (made,) = draw(Generate(logprobs=True), ctx, range(1))
    assert dict(made.scores) == {}
    assert ctx.notes == [("no probability", {"candidate": "here[0]"})]


def asked_of(op: Generate) -> list[tuple[float | None, str | None, int]]:
    """The temperature, prompt and number of draws of each group."""
    askings = op.askings()
    assert [len(group) for group in op.groups()] == [a.n for a in askings]  # type: ignore[attr-defined]
    assert [c.count.high for c in op.calls(flow(0))] == [len(group) for group in op.groups()]
    return [(a.temperature, a.prompt, a.n) for a in askings]  # type: ignore[attr-defined]


def test_temperatures_are_spread_over_the_draws() -> None:
    falling = Generate(n=5, temperatures=(1.0, 0.2))
    assert asked_of(falling) == [(t, None, 1) for t in (1.0, 0.8, 0.6, 0.4, 0.2)]
    own = Generate(n=3, temperatures=(0.0, 1.0, 0.5))
    assert [t for t, _, _ in asked_of(own)] == [0.0, 1.0, 0.5]
    assert asked_of(Generate(n=4, temperatures=(0.7,))) == [(0.7, None, 4)]
    assert asked_of(Generate(n=1, temperatures=(0.9, 0.1))) == [(0.9, None, 1)]


def test_prompts_are_taken_in_turn() -> None:
    op = Generate(n=3, prompts=("A {question}", "B {question}"), model="solver")
    ctx = Fake()
    draw(op, ctx, range(3))
    for one in op.groups():
        draw(op, ctx, one)
    assert [call.text[0] for call in ctx.calls[3:]] == ["A", "B", "A"]
    assert [p and p[0] for _, p, _ in asked_of(op)] == ["A", "B", "A"]


def test_settling_keeps_the_schedule() -> None:
    op = Generate(n=3, temperatures=(1.0, 0.0), prompts=("A {question}", "B {question}"))
    settled = [a.model_copy(update={"model": "m", "max_tokens": 9}) for a in op.askings()]
    again = op.with_askings(settled)
    assert asked_of(again) == asked_of(op)
    assert {(a.model, a.max_tokens) for a in again.askings()} == {("m", 9)}


def test_a_prefix_is_part_of_the_candidate() -> None:
    ctx = Fake(says(" 42"))
    (drawn,) = draw(Generate(prefix="answer:"), ctx, range(1))
    assert (drawn.text, drawn.answer and drawn.answer.text) == ("answer: 42", "42")
    assert ctx.calls[0].wishes == Wishes("answer:")
    assert Capability.CONTINUATION in Generate(prefix="answer:").asks()


def test_a_reply_is_cut_behind_a_mark() -> None:
    (drawn,) = draw(Generate(until=("\n", ";")), Fake(says("1+1=2;\nthat is it")), range(1))
    assert (drawn.text, drawn.finish) == ("1+1=2;", "length")
    (whole,) = draw(Generate(until=("!",)), Fake(says("1+1=2")), range(1))
    assert (whole.text, whole.finish) == ("1+1=2", "stop")


def test_probabilities_may_be_a_preference() -> None:
    op = Generate(logprobs="prefer")
    assert op.asks() == frozenset()
    assert set(op.prefers()) == {Capability.LOGPROBS}
    (drawn,) = draw(op, Fake(), range(1))
    assert drawn.scores == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperatures": [1, 0], "temperature": 1},
        {"temperatures": [9]},
        {"prompts": ["a"], "prompt": "b"},
        {"until": [""]},
    ],
)
def test_refuses_what_is_said_twice(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Generate.model_validate(wrong)
