from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from polyarch.compiler.op import Amount, Mismatch
from polyarch.compiler.values import Candidate
from polyarch.ops._rank_pairs import PAIRWISE
from polyarch.ops.rank import Rank

from .fake import Call, Fake, candidates, decide, flow, says

WORTH = {"a": 1, "b": 4, "c": 2, "d": 3}


def rank(**arguments: object) -> Rank:
    return Rank.model_validate(arguments)


def got(ranked: Sequence[Candidate]) -> list[tuple[str, float | None]]:
    return [(c.text, c.scores.get("rank")) for c in ranked]


def ranking(*numbers: int) -> str:
    return json.dumps({"ranking": numbers})


def honest(call: Call) -> str:
    """A judge that knows what each candidate is worth."""
    if call.role == "rank":
        order = sorted(range(len(call.shown)), key=lambda i: -WORTH[call.shown[i]])
        return ranking(*(i + 1 for i in order))
    if call.role == "compare":
        first, second = (WORTH[text] for text in call.shown)
        better = "first" if first > second else "second" if second > first else "tie"
        return json.dumps({"reason": "", "better": better})
    return json.dumps({"reason": "", "score": WORTH[call.shown[0]]})


def biased(call: Call) -> str:
    """A judge that always likes what is shown first."""
    if call.role == "rank":
        return ranking(*range(1, len(call.shown) + 1))
    return json.dumps({"reason": "", "better": "first"})


def test_listwise_asks_in_both_orders_and_yields_the_best_first() -> None:
    ctx = Fake(honest)
    ranked = decide(rank(keep=4), ctx, candidates("a", "b", "c", "d"))
    assert got(ranked) == [
        ("b", 1.0),
        ("d", pytest.approx(2 / 3)),
        ("c", pytest.approx(1 / 3)),
        ("a", 0.0),
    ]
    assert [c.shown for c in ctx.calls] == [("a", "b", "c", "d"), ("d", "c", "b", "a")]
    assert [c.index for c in ctx.calls] == [0, 1]
    assert [c.origin.index for c in ranked] == [1, 3, 2, 0]


def test_a_judge_that_likes_the_first_makes_all_equal() -> None:
    for method in ("listwise", "pairwise"):
        ranked = decide(rank(method=method, keep=3), Fake(biased), candidates("a", "b", "c"))
        assert got(ranked) == [("a", 0.5), ("b", 0.5), ("c", 0.5)]


def test_one_order_is_taken_as_it_is() -> None:
    ctx = Fake(biased)
    ranked = decide(rank(orders=1, keep=3), ctx, candidates("a", "b", "c"))
    assert got(ranked) == [("a", 1.0), ("b", 0.5), ("c", 0.0)]
    ranked = decide(rank(orders=1, keep=3, method="pairwise"), ctx, candidates("a", "b", "c"))
    assert got(ranked) == [("a", 1.0), ("b", 0.5), ("c", 0.0)]
    assert len(ctx.calls) == 1 + 3


@pytest.mark.parametrize(
    "reply", ["[1] > [2]", ranking(1, 1), ranking(2), ranking(0, 1), ranking(1, 2, 3), "{}"]
)
def test_no_permutation_keeps_the_order_given_and_flags_it(reply: str) -> None:
    ctx = Fake(says(reply))
    ranked = decide(rank(), ctx, candidates("a", "b"))
    assert got(ranked) == [("a", None)]
    assert "unranked" in ranked[0].notes
    assert ctx.unreadable == 2
    assert len(ctx.calls) == 4
    assert ctx.notes == [("unranked", {"candidates": ["drafts[0]", "drafts[1]"]})]


def test_one_readable_order_of_two_is_used_alone() -> None:
    ctx = Fake(lambda call: "?" if call.index == 0 else honest(call))
    ranked = decide(rank(keep=2), ctx, candidates("a", "b"))
    assert got(ranked) == [("b", 1.0), ("a", 0.0)]
    assert ctx.unreadable == 1


def test_pairwise_compares_every_two_both_ways() -> None:
    ctx = Fake(honest)
    ranked = decide(rank(method="pairwise", keep=3), ctx, candidates("a", "b", "c"))
    assert got(ranked) == [("b", 1.0), ("c", 0.5), ("a", 0.0)]
    assert sorted(c.shown for c in ctx.calls) == sorted(permutations("abc", 2))
    assert len({c.index for c in ctx.calls}) == 6


def compare(**verdicts: str) -> Callable[[Call], str]:
    """A judge with a verdict for `ab`, `ba`, …; "?" cannot be read."""

    def say(call: Call) -> str:
        word = verdicts["".join(call.shown)]
        return "?" if word == "?" else json.dumps({"reason": "", "better": word})

    return say


@pytest.mark.parametrize(
    ("ab", "ba", "a", "b"),
    [
        ("first", "second", 1.0, 0.0),
        ("second", "first", 0.0, 1.0),
        ("first", "first", 0.5, 0.5),
        ("second", "second", 0.5, 0.5),
        ("first", "tie", 0.5, 0.5),
        ("tie", "tie", 0.5, 0.5),
        ("first", "?", None, None),
        ("?", "?", None, None),
    ],
)
def test_what_two_orders_make_of_a_pair(ab: str, ba: str, a: float | None, b: float | None) -> None:
    ctx = Fake(compare(ab=ab, ba=ba))
    ranked = decide(rank(method="pairwise", keep=2), ctx, candidates("a", "b"))
    assert {c.text: c.scores.get("rank") for c in ranked} == {"a": a, "b": b}


def test_an_unreadable_pair_is_left_out_of_the_share() -> None:
    ctx = Fake(compare(ab="?", ba="second", ac="first", ca="second", bc="tie", cb="tie"))
    ranked = decide(rank(method="pairwise", keep=3), ctx, candidates("a", "b", "c"))
    assert got(ranked) == [("a", 1.0), ("b", 0.5), ("c", 0.25)]


def test_pointwise_grades_each_and_charges_it() -> None:
    ctx = Fake(honest)
    ranked = decide(rank(method="pointwise", keep=2), ctx, candidates("a", "b", "c"))
    assert got(ranked) == [("b", 0.4), ("c", 0.2)]
    assert [c.usage.calls for c in ranked] == [1, 1]
    assert [(c.role, c.shown) for c in ctx.calls] == [("score", (t,)) for t in "abc"]


@pytest.mark.parametrize("grade", ["11", "-1", "NaN", '"5"', "null"])
def test_an_unreadable_grade_is_not_zero(grade: str) -> None:
    replies = {"a": grade, "b": "0", "c": "3"}
    ctx = Fake(lambda call: f'{{"reason": "", "score": {replies[call.shown[0]]}}}')
    ranked = decide(rank(method="pointwise", keep=3), ctx, candidates("a", "b", "c"))
    assert got(ranked) == [("c", 0.3), ("b", 0.0), ("a", None)]
    assert ranked[2].notes["unranked"]


def test_an_earlier_rank_does_not_stand_for_this_one() -> None:
    stale = candidates("a", "b", rank=[0.9, 0.1])
    assert got(decide(rank(keep=2), Fake(says("?")), stale)) == [("a", None), ("b", None)]


def test_a_candidate_left_alone_is_not_compared() -> None:
    ctx = Fake(honest)
    assert got(decide(rank(keep=2), ctx, candidates("a"))) == [("a", None)]
    assert got(decide(rank(keep=2, method="pairwise"), ctx, [])) == []
    assert ctx.calls == []


@settings(deadline=None, max_examples=50)
@given(
    order=st.permutations(list("abcd")),
    method=st.sampled_from(["listwise", "pairwise", "pointwise"]),
)
def test_an_honest_judge_does_not_mind_the_order(order: list[str], method: str) -> None:
    ranked = decide(rank(method=method, keep=4), Fake(honest), candidates(*order))
    assert [c.text for c in ranked] == ["b", "d", "c", "a"]


@settings(deadline=None, max_examples=50)
@given(data=st.data(), count=st.integers(2, 6))
def test_scores_are_the_mean_place_of_any_two_permutations(data: st.DataObject, count: int) -> None:
    one = data.draw(st.permutations(range(count)))
    two = data.draw(st.permutations(range(count)))

    def say(call: Call) -> str:
        order = one if call.index == 0 else [count - 1 - place for place in two]
        return ranking(*(place + 1 for place in order))

    ranked = decide(rank(keep=count), Fake(say), candidates(*map(str, range(count))))
    expected = {i: 1 - (one.index(i) + two.index(i)) / (2 * (count - 1)) for i in range(count)}
    assert {c.origin.index: c.scores["rank"] for c in ranked} == pytest.approx(expected)
    assert [c.origin.index for c in ranked] == sorted(range(count), key=lambda i: (-expected[i], i))


def test_flow_refuses_what_cannot_be_ordered() -> None:
    for method in ("listwise", "pairwise", "pointwise"):
        with pytest.raises(Mismatch, match="one candidate"):
            rank(method=method).flow(flow(1))
    with pytest.raises(Mismatch, match="over nothing"):
        rank().flow(flow(0))
    with pytest.raises(Mismatch, match="keep 4 of at most 3") as wrong:
        rank(keep=4).flow(flow(2, 3))
    assert wrong.value.field == "keep"
    out = rank(keep=3).flow(flow(2, 5, "verify"))
    assert out.count == Amount(2, 3)
    assert out.scores == {"rank", "verify"}


def test_price_by_method() -> None:
    def counts(**arguments: object) -> tuple[Amount, Amount]:
        (calls,) = rank(model="judge", max_tokens=10, **arguments).calls(flow(3, 4))
        return calls.count, calls.depth

    assert counts() == (Amount(2, 4), Amount(1, 2))
    assert counts(orders=1) == (Amount(1, 2), Amount(1, 2))
    assert counts(method="pairwise") == (Amount(6, 24), Amount(1, 2))
    assert counts(method="pairwise", orders=1) == (Amount(3, 12), Amount(1, 2))
    assert counts(method="pointwise") == (Amount(3, 8), Amount(1, 2))


def test_roles_and_prompts_go_by_method() -> None:
    assert rank().roles() == {"rank"}
    assert rank(method="pairwise").roles() == {"compare"}
    assert rank(method="pointwise").roles() == {"score"}
    op = rank(method="pairwise")
    (asking,) = op.askings()
    assert asking.wording == PAIRWISE
    settled = op.with_askings([asking.model_copy(update={"model": "judge"})])
    assert (settled.model, settled.prompt) == ("judge", None)


def test_a_prompt_of_another_method_is_refused() -> None:
    with pytest.raises(ValidationError, match="shown by pairwise, not by listwise"):
        rank(prompt="{first} or {second}?")
    ctx = Fake(honest)
    mine = rank(prompt="{criterion} {candidates}", criterion="Shorter is better.")
    decide(mine, ctx, candidates("a", "b"))
    assert ctx.calls[0].text.startswith("Shorter is better. ### Candidate 1")
