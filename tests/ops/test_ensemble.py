from __future__ import annotations

import pytest
from pydantic import ValidationError

from polyarch.compiler.model import Capability
from polyarch.compiler.op import Amount, Reply
from polyarch.compiler.values import TokenLogprob, Usage
from polyarch.ops.ensemble import Ensemble

from .fake import Fake, draw, flow, says


def ensemble(**arguments: object) -> Ensemble:
    return Ensemble.model_validate(arguments)


def test_members_take_what_they_do_not_say_from_the_ensemble() -> None:
    op = ensemble(
        members=["a", {"model": "b", "n": 1, "temperature": 0}, {"prompt": "Go: {question}"}],
        model="c",
        n=2,
        temperature=0.7,
        max_tokens=9,
    )
    got = [(m.model, m.temperature, m.max_tokens, m.prompt) for m in op.askings()]
    assert got == [
        ("a", 0.7, 9, None),
        ("b", 0.0, 9, None),
        ("c", 0.7, 9, "Go: {question}"),
    ]
    assert op.groups() == (range(2), range(2, 3), range(3, 5))


def test_draws_are_numbered_through_the_members() -> None:
    op = ensemble(members=["a", "b", "a"], n=2)
    ctx = Fake(lambda call: f"{call.model} {call.index}")
    drawn = [c for group in op.groups() for c in draw(op, ctx, group)]
    assert [c.text for c in drawn] == ["a 0", "a 1", "b 2", "b 3", "a 4", "a 5"]
    assert [c.origin.model for c in drawn] == ["a", "a", "b", "b", "a", "a"]
    assert [c.origin.index for c in drawn] == list(range(6))


def test_draws_of_two_members_are_no_request() -> None:
    with pytest.raises(ValueError, match="not of one member"):
        draw(ensemble(members=["a", "b"], n=2), Fake(), range(1, 3))


def test_settling_replaces_the_members() -> None:
    op = ensemble(members=["a", {"model": "b", "max_tokens": 5}], max_tokens=8, n=3)
    settled = op.with_askings([m.model_copy(update={"top_p": 0.5}) for m in op.askings()])
    assert [(m.model, m.top_p, m.max_tokens) for m in settled.askings()] == [
        ("a", 0.5, 8),
        ("b", 0.5, 5),
    ]
    assert settled.groups() == op.groups()
    with pytest.raises(ValueError, match="1 askings for 2 members"):
        op.with_askings(op.askings()[:1])


def test_flow_and_price_a_member_each() -> None:
    op = ensemble(members=[{"model": "a", "max_tokens": 5}, {"model": "b", "n": 2}], max_tokens=8)
    assert op.flow(flow(0)).count == Amount(3, 3)
    assert op.flow(flow(0)).tokens == Amount(1, 8)
    assert [(c.model, c.count, c.completion) for c in op.calls(flow(0))] == [
        ("a", Amount(1, 1), Amount(1, 5)),
        ("b", Amount(2, 2), Amount(1, 8)),
    ]


@pytest.mark.parametrize(
    "wrong", [{}, {"members": []}, {"members": [{"modle": "a"}]}, {"members": ["a"], "k": 1}]
)
def test_refuses_wrong_arguments(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Ensemble.model_validate(wrong)


def test_the_schema_takes_names_of_models() -> None:
    items = Ensemble.model_json_schema()["properties"]["members"]["items"]
    assert {"type": "string", "minLength": 1, "polyarch": "model"} in items["anyOf"]


def test_members_are_scored_by_probability_where_they_say() -> None:
    some = Ensemble.model_validate({"members": ["a", {"model": "b", "logprobs": True}]})
    every = Ensemble.model_validate({"members": ["a", "b"], "logprobs": True})
    assert [member.asks() for member in some.askings()] == [
        frozenset(),
        {Capability.LOGPROBS},
    ]
    assert some.flow(flow(0)).scores == frozenset()
    assert every.flow(flow(0)).scores == {"logprob", "logprob_mean", "probability_mean"}
    told = (TokenLogprob("4", -0.5),)
    ctx = Fake(says(Reply(0, "4", "m", "stop", Usage(), logprobs=told)))
    assert [dict(draw(some, ctx, range(n, n + 1))[0].scores).get("logprob") for n in (0, 1)] == [
        None,
        -0.5,
    ]
