"""Rankings that do without most pairs, and what comparisons come to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import combinations
from math import ceil, log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from polyarch.compiler.op import Amount, Reply
from polyarch.compiler.values import Candidate, Usage
from polyarch.ops._strengths import bradley_terry, expected_shares
from polyarch.ops.rank import Rank

from .fake import Call, Fake, Fed, candidates, decide, flow

PAIRS = ["pairwise", "knockout", "swiss", "sorted"]


def rank(**arguments: object) -> Rank:
    return Rank.model_validate(arguments)


def verdict(better: str) -> str:
    return json.dumps({"reason": "", "better": better})


def by_number(call: Call) -> str:
    """A judge that likes the larger number better."""
    first, second = map(int, call.shown)
    return verdict("first" if first > second else "second" if second > first else "tie")


def texts(ranked: list[Candidate]) -> list[str]:
    return [candidate.text for candidate in ranked]


def numbers(*values: int) -> list[Candidate]:
    return candidates(*map(str, values))


def test_a_knockout_puts_out_who_loses() -> None:
    ctx = Fake(by_number)
    ranked = decide(rank(method="knockout", keep="all", orders=1), ctx, numbers(3, 1, 4, 2, 5))
    # Halves of three and two: 3-1, then 4 comes in; 2-5; then 4-5.
    assert [call.shown for call in ctx.calls] == [("3", "1"), ("2", "5"), ("3", "4"), ("4", "5")]
    scores = {c.text: c.scores["rank"] for c in ranked}
    assert scores == {"5": 1.0, "4": 0.5, "3": 0.25, "1": 0.0, "2": 0.0}
    assert texts(ranked) == ["5", "4", "3", "1", "2"]


def test_in_a_knockout_the_earlier_of_equals_goes_on() -> None:
    ranked = decide(rank(method="knockout"), Fake(lambda _: verdict("first")), numbers(1, 2, 3))
    assert texts(ranked) == ["1"]  # both orders disagree: a tie
    assert ranked[0].scores["rank"] == 1.0


def test_who_is_only_ahead_of_what_cannot_be_read_has_no_rank() -> None:
    def say(call: Call) -> str:
        return "?" if "1" in call.shown else by_number(call)

    ranked = decide(rank(method="knockout", keep="all"), Fake(say), numbers(1, 2, 3, 4))
    assert [(c.text, c.scores.get("rank")) for c in ranked] == [
        ("4", pytest.approx(1 / 3)),
        ("3", 0.0),
        ("1", None),
        ("2", None),
    ]


def test_swiss_rounds_pair_those_with_equal_points_who_have_not_met() -> None:
    ctx = Fake(by_number)
    ranked = decide(
        rank(method="swiss", keep="all", orders=1), ctx, numbers(1, 2, 3, 4, 5, 6, 7, 8)
    )
    met = [tuple(sorted(map(int, call.shown))) for call in ctx.calls]
    assert len(met) == len(set(met)) == 12
    assert met[:4] == [(1, 2), (3, 4), (5, 6), (7, 8)]
    assert {frozenset(pair) for pair in met[4:8]} == {
        frozenset(pair) for pair in [(2, 4), (6, 8), (1, 3), (5, 7)]
    }
    assert texts(ranked)[0] == "8"
    assert texts(ranked)[-1] == "1"
    assert ranked[0].scores["rank"] == 1.0


def test_of_an_odd_number_each_is_free_once_before_anybody_is_twice() -> None:
    ctx = Fake(by_number)
    decide(rank(method="swiss", rounds=5, orders=1), ctx, numbers(1, 2, 3, 4, 5))
    # Five rounds of two pairs: everybody meets everybody, and is free once.
    assert {frozenset(call.shown) for call in ctx.calls} == {
        frozenset(pair) for pair in combinations("12345", 2)
    }


def test_sorting_goes_no_further_than_it_must() -> None:
    all_of_it, best = Fake(by_number), Fake(by_number)
    given = numbers(5, 3, 8, 1, 7, 2, 6, 4)
    ranked = decide(rank(method="sorted", keep="all", orders=1), all_of_it, given)
    assert texts(ranked) == list("87654321")
    assert [c.scores["rank"] for c in ranked] == pytest.approx([1 - i / 7 for i in range(8)])
    assert len(all_of_it.calls) == 17
    assert texts(decide(rank(method="sorted", keep=2, orders=1), best, given)) == ["8", "7"]
    assert len(best.calls) == 10


def test_what_sorting_cannot_tell_apart_stays_in_index_order() -> None:
    ranked = decide(rank(method="sorted", keep="all"), Fake(by_number), numbers(2, 2, 9, 2))
    assert [(c.text, c.origin.index) for c in ranked] == [("9", 2), ("2", 0), ("2", 1), ("2", 3)]
    silent = decide(rank(method="sorted", keep=2), Fake(lambda _: "?"), numbers(1, 2, 3))
    assert [(c.text, c.scores.get("rank")) for c in silent] == [("1", None), ("2", None)]


@settings(max_examples=60)
@given(
    values=st.lists(st.integers(0, 5), min_size=2, max_size=9),
    method=st.sampled_from(PAIRS),
    orders=st.sampled_from([1, 2]),
    more=st.integers(0, 4),
    keep=st.integers(1, 2),
)
def test_calls_are_within_their_price_and_no_pair_meets_twice(
    values: list[int], method: str, orders: int, more: int, keep: int
) -> None:
    op = rank(method=method, orders=orders, keep=keep, model="j", max_tokens=10)
    ctx = Fake(by_number)
    stream = Fed(numbers(*values), most=len(values) + more)
    ranked = decide(op, ctx, stream)
    if method != "swiss":  # equals draw, and a lesser one may pass both
        assert ranked[0].text == str(max(values))
    (priced,) = op.calls(flow(len(values), len(values) + more))
    assert priced.count.low <= len(ctx.calls) <= priced.count.high // 2  # no repair was needed
    asked = [(call.index, call.shown) for call in ctx.calls]
    assert len({index for index, _ in asked}) == len(asked)


def test_bounds_of_each_form() -> None:
    def bounds(**arguments: object) -> tuple[Amount, Amount]:
        (calls,) = rank(model="j", max_tokens=10, orders=1, **arguments).calls(flow(6, 8))
        # Without the repair turns.
        halved = [Amount(a.low, a.high // 2) for a in (calls.count, calls.depth)]
        return halved[0], halved[1]

    assert bounds(method="pairwise") == (Amount(15, 28), Amount(1, 1))
    assert bounds(method="knockout") == (Amount(5, 7), Amount(3, 3))
    assert bounds(method="swiss") == (Amount(9, 12), Amount(3, 3))
    assert bounds(method="swiss", rounds=20) == (Amount(9, 28), Amount(3, 7))
    assert bounds(method="sorted") == (Amount(5, 7), Amount(3, 3))
    assert bounds(method="sorted", keep="all") == (Amount(7, 17), Amount(5, 11))


@pytest.mark.parametrize("method", PAIRS)
def test_a_pair_is_compared_as_soon_as_both_are_there(method: str) -> None:
    early: list[int] = []
    stream = Fed(numbers(*range(20)))

    def say(call: Call) -> str:
        early.append(stream.read)
        return by_number(call)

    decide(rank(method=method), Fake(say), stream)
    assert min(early) < 10


class Slow(Fake):
    """A context whose replies take turns that depend on what is asked and on `turn`."""

    turn = 0

    async def ask(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
        for _ in range((7 * int(str(kwargs["index"])) + self.turn) % 5):
            await asyncio.sleep(0)
        return await super().ask(*args, **kwargs)  # type: ignore[arg-type]


def noisy(call: Call) -> str:
    """A judge that is often wrong, and decided by what is asked alone."""
    return verdict(["first", "second", "tie"][hash((call.index, call.shown)) % 3])


@pytest.mark.parametrize("method", PAIRS)
def test_when_replies_come_decides_nothing(method: str) -> None:
    def ranked(turn: int) -> list[tuple[str, float]]:
        ctx = Slow(noisy)
        ctx.turn = turn
        given = numbers(*range(7))
        return [(c.text, c.scores["rank"]) for c in decide(rank(method=method, keep=3), ctx, given)]

    assert ranked(0) == ranked(1) == ranked(3)


def test_more_orders_show_each_as_often_early_as_late() -> None:
    ctx = Fake(lambda call: json.dumps({"ranking": [*range(1, len(call.shown) + 1)]}))
    ranked = decide(rank(orders=6, keep="all"), ctx, numbers(1, 2, 3, 4, 5))
    shown = [call.shown for call in ctx.calls]
    assert shown[0] == tuple("12345")
    assert [order[::-1] for order in shown[::2]] == shown[1::2]
    assert len(set(shown)) == 6
    # Who is shown first is liked best: over all orders that is nobody.
    assert [c.scores["rank"] for c in ranked] == pytest.approx([0.5] * 5)


def test_a_checklist_is_written_and_the_best_is_named() -> None:
    def say(call: Call) -> str:
        best = 1 + call.shown.index("3")
        return json.dumps({"checklist": ["It is 3."], "reason": "", "best": best})

    ctx = Fake(say)
    ranked = decide(rank(method="checklist", keep=2), ctx, numbers(1, 2, 3))
    assert [(c.text, c.scores["rank"]) for c in ranked] == [("3", 1.0), ("1", 0.0)]
    assert [call.role for call in ctx.calls] == ["pick", "pick"]
    assert ("checklist", {"checklist": ("It is 3.",), "best": "drafts[2]"}) in ctx.notes


@pytest.mark.parametrize("best", [0, 4, "1", 1.5, None])
def test_a_checklist_that_names_nobody_is_not_read(best: object) -> None:
    ctx = Fake(lambda _: json.dumps({"checklist": ["x"], "reason": "", "best": best}))
    ranked = decide(rank(method="checklist"), ctx, numbers(1, 2, 3))
    assert [(c.text, c.scores.get("rank")) for c in ranked] == [("1", None)]
    assert ctx.unreadable == 2


def embeds(vectors: dict[str, tuple[float, ...]]) -> Callable[[Call], Reply]:
    def say(call: Call) -> Reply:
        assert call.wishes.wants == "embedding"
        return Reply(0, "", "", "stop", Usage(), values=vectors[call.messages[0].text])

    return say


def test_who_is_far_from_all_others_is_last() -> None:
    near = {"1": (1.0, 0.0), "2": (1.0, 0.1), "3": (1.0, -0.1), "4": (-1.0, 0.0)}
    ranked = decide(rank(method="central", keep="all"), Fake(embeds(near)), numbers(4, 3, 1, 2))
    assert texts(ranked) == ["1", "3", "2", "4"]
    assert all(0 <= c.scores["rank"] <= 1 for c in ranked)
    assert [c.usage.calls for c in ranked] == [1, 1, 1, 1]


def test_an_embedding_that_cannot_be_used_leaves_a_candidate_out() -> None:
    vectors = {"1": (1.0, 0.0), "2": (0.0, 0.0), "3": (float("nan"), 1.0), "4": (0.0, 1.0)}
    ctx = Fake(embeds(vectors))
    ranked = decide(rank(method="central", keep="all"), ctx, numbers(1, 2, 3, 4))
    scores = [(c.text, c.scores.get("rank")) for c in ranked]
    assert scores == [("1", 0.5), ("4", 0.5), ("2", None), ("3", None)]
    assert ctx.unreadable == 2
    (priced,) = rank(method="central", model="e", max_tokens=10).calls(flow(3, 4))
    assert (priced.count, priced.completion) == (Amount(3, 4), Amount(0, 0))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"method": "pairwise", "orders": 3}, "two orders at most"),
        ({"method": "pairwise", "rounds": 3}, "rounds is for method swiss, not for pairwise"),
        ({"method": "knockout", "aggregate": "bradley_terry"}, "aggregate is for"),
        ({"method": "central", "prompt": "{candidate}"}, "takes no prompt"),
        ({"method": "swiss", "prompt": "{candidates}"}, "shown by listwise, not by swiss"),
    ],
)
def test_what_a_method_cannot_use_is_refused(arguments: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        rank(**arguments)


# --- Bradley–Terry -------------------------------------------------------------------------------


def test_the_strengths_of_two_are_their_odds() -> None:
    # 3 wins of 4, and half a win and half a loss against one of strength 1 for each.
    first, second = bradley_terry(2, {(0, 1): 3.0, (1, 0): 1.0})
    assert first * second == pytest.approx(1.0)
    # Where the gradient is zero: 3.5 = 1 / (p + 1) p + 4 p / (p + q).
    assert first / (1 + first) + 4 * first / (first + second) == pytest.approx(3.5)


won_games = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda p: p[0] != p[1]),
    st.sampled_from([0.5, 1.0, 2.0]),
    max_size=12,
)


@settings(max_examples=60)
@given(won_games)
def test_strengths_are_where_wins_are_as_many_as_expected(
    won: dict[tuple[int, int], float],
) -> None:
    p = bradley_terry(5, won)
    for i in range(5):
        wins = 0.5 + sum(times for (a, _), times in won.items() if a == i)
        expected = p[i] / (p[i] + 1)
        for (a, b), times in won.items():
            if i in (a, b):
                other = b if a == i else a
                expected += times * p[i] / (p[i] + p[other])
        assert expected == pytest.approx(wins, rel=1e-6)


def test_whom_one_beat_counts() -> None:
    # 1 and 2 both won one of two; 1 beat the one that beat everybody else.
    won = {(0, 2): 1.0, (0, 3): 1.0, (1, 0): 1.0, (3, 1): 1.0, (2, 3): 1.0}
    strengths = bradley_terry(4, won)
    assert strengths[1] > strengths[3]
    shares = expected_shares(strengths)
    assert all(0 < share < 1 for share in shares)
    assert sum(shares) == pytest.approx(2.0)  # of four, half of three pairs each
    assert expected_shares([2.0]) == [0.5]


@settings(max_examples=40)
@given(st.permutations(range(6)))
def test_all_aggregations_agree_where_the_judge_does(order: list[int]) -> None:
    given = numbers(*order)
    for method in ("listwise", "pairwise"):

        def say(call: Call) -> str:
            if call.role == "compare":
                return by_number(call)
            best = sorted(range(6), key=lambda i: -int(call.shown[i]))
            return json.dumps({"ranking": [i + 1 for i in best]})

        for aggregate in ("share", "bradley_terry"):
            op = rank(method=method, keep="all", aggregate=aggregate)
            assert texts(decide(op, Fake(say), given)) == list("543210")


def test_a_knockout_takes_one_pair_less_than_there_are_and_as_few_rounds_as_can_be() -> None:
    for count in range(2, 20):
        (calls,) = rank(method="knockout", model="j", orders=1, max_tokens=9).calls(flow(count))
        assert calls.count == Amount(count - 1, 2 * (count - 1))
        assert calls.depth == Amount(ceil(log2(count)), 2 * ceil(log2(count)))
