"""Choices in another order each time."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from polyarch.compiler.answers import answer_kind
from polyarch.compiler.values import Candidate, Json, Message, Question
from polyarch.ops.shuffle import Shuffle

from .fake import Call, Fake, Saying, draw, flow

CHOICES = ["Oslo", "Rome", "Bern", "Wien"]


def asked(script: Saying, n: int = 1, choices: Json = CHOICES) -> tuple[list[Candidate], Fake]:
    text = "Where is the Colosseum?"
    question = Question(text, (Message("user", text),), {"task": text, "choices": choices})
    ctx = Fake(script, answer=answer_kind("choice"), question=question)
    op = Shuffle(n=n)
    return [one for group in op.groups() for one in draw(op, ctx, group)], ctx


def test_a_letter_is_mapped_back_to_the_choice_that_it_stood_for() -> None:
    drawn, ctx = asked(lambda call: "answer: " + "ABCD"[call.shown.index("Rome")], n=12)
    assert {c.answer.text for c in drawn if c.answer} == {"B"}
    assert drawn[0].notes["order"] == "ABCD"
    assert len({str(c.notes["order"]) for c in drawn}) > 6
    for candidate, call in zip(drawn, ctx.calls, strict=True):
        order = str(candidate.notes["order"])
        assert call.shown == tuple(CHOICES["ABCD".index(letter)] for letter in order)
        assert f"A) {call.shown[0]}\nB) {call.shown[1]}" in call.text
    assert "Colosseum" in ctx.calls[0].text


def test_a_model_that_likes_a_place_is_evened_out() -> None:
    def biased(call: Call) -> str:
        """Knows the answer one time in three, and says A otherwise."""
        return f"answer: {'ABCD'[call.shown.index('Rome')] if call.index % 3 == 0 else 'A'}"

    drawn, _ = asked(biased, n=90)
    votes = Counter(c.answer.text for c in drawn if c.answer)
    assert votes.most_common(1)[0][0] == "B"
    plain = Counter("B" if index % 3 == 0 else "A" for index in range(90))
    assert plain.most_common(1)[0][0] == "A"


def test_what_names_no_choice_is_no_answer() -> None:
    drawn, _ = asked(lambda _: "answer: E")
    assert drawn[0].answer is None
    drawn, _ = asked(lambda _: "I do not know.")
    assert drawn[0].answer is None


@pytest.mark.parametrize(
    "choices", ["A or B", ["one"], [1, 2], [str(n) for n in range(27)], None, 3]
)
def test_what_is_no_list_of_choices_is_told(choices: Json) -> None:
    with pytest.raises(ValueError, match="no list of 2 to 26 texts"):
        asked(lambda _: "answer: A", choices=choices)


def test_a_question_without_choices_is_told() -> None:
    ctx = Fake(answer=answer_kind("choice"))
    with pytest.raises(ValueError, match="no field 'choices'"):
        draw(Shuffle(), replace(ctx), range(1))


def test_every_draw_is_a_request_of_its_own() -> None:
    op = Shuffle(n=3, model="m", max_tokens=20)
    assert op.groups() == (range(1), range(1, 2), range(2, 3))
    assert op.flow(flow(0)).notes == {"order"}
    assert [(c.count.low, c.count.high) for c in op.calls(flow(0))] == [(1, 1)] * 3


@pytest.mark.parametrize("choices", [json.dumps(CHOICES), "\n".join(CHOICES) + "\n", CHOICES])
def test_choices_may_be_written_out(choices: Json) -> None:
    drawn, _ = asked(lambda call: "answer: B", choices=choices)
    assert drawn[0].notes["order"] == "ABCD"
