from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from math import comb, inf, nan
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from polyarch.compiler.answers import answer_kind
from polyarch.compiler.fitted import Data, Weights
from polyarch.compiler.op import Amount, Mismatch
from polyarch.compiler.values import Candidate, Json, Origin
from polyarch.ops._posterior import lead_among, lead_confidence
from polyarch.ops.vote import Vote

from .fake import Fake, Fed, candidates, decide, flow

EXACT = answer_kind("exact")


def vote(op: Vote, given: list[Candidate] | Fed, ctx: Fake | None = None) -> Candidate | None:
    out = decide(op, ctx or Fake(answer=EXACT), given)
    assert len(out) <= 1
    return out[0] if out else None


def told(ctx: Fake) -> dict[str, Json]:
    return dict(ctx.notes)["vote"]


def test_the_majority_wins_and_says_how() -> None:
    ctx = Fake(answer=EXACT)
    winner = vote(Vote(), candidates("a", "b", "", "b", "c"), ctx)
    assert winner is not None
    assert winner.origin.index == 1
    assert winner.scores["vote"] == 0.5
    assert winner.notes["votes"] == [["b", 2], ["a", 1], ["c", 1]]
    assert winner.notes["no_answer"] == 1
    assert told(ctx) == {
        "read": 5,
        "voted": 4,
        "no_answer": 1,
        "no_weight": 0,
        "stopped": False,
    }


def test_a_tie_goes_to_the_group_voted_for_first() -> None:
    winner = vote(Vote(), candidates("a", "b", "b", "a"))
    assert winner is not None
    assert winner.origin.index == 0


def test_answers_of_one_meaning_vote_together() -> None:
    ctx = Fake(answer=answer_kind("number"))
    given = candidates("0.75", "1/2", "0.50", "3/4", "0.5")
    for op in (Vote(), Vote(stop_at="exact")):
        winner = vote(op, given, ctx)
        assert winner is not None
        assert winner.text == "1/2"
        assert winner.notes["votes"] == [["1/2", 3], ["0.75", 2]]


def test_nobody_votes() -> None:
    given = candidates("", "", "")
    ctx = Fake(answer=EXACT)
    fallback = vote(Vote(), given, ctx)
    assert fallback is not None
    assert fallback.origin.index == 0
    assert "vote" not in fallback.scores
    assert fallback.notes == {"fallback": "nothing voted", "votes": [], "no_answer": 3}
    assert ctx.notes[-1] == ("fallback", {"candidate": "drafts[0]"})
    assert vote(Vote(otherwise="none"), given) is None
    assert vote(Vote(), []) is None


def test_weights_count_and_the_heaviest_of_the_group_is_shown() -> None:
    given = candidates("a", "a", "b", "b", verify=[0.5, 0.5, 0.8, 0.9])
    winner = vote(Vote(weight="verify"), given)
    assert winner is not None
    assert winner.origin.index == 3
    assert winner.scores["vote"] == pytest.approx(1.7 / 2.7)
    assert winner.notes["votes"] == [["b", 1.7], ["a", 1.0]]


def test_sums_that_agree_to_nine_decimals_tie() -> None:
    winner = vote(Vote(weight="w"), candidates("a", "b", "b", w=[0.3, 0.1, 0.2]))
    assert winner is not None
    assert winner.text == "a"


@pytest.mark.parametrize("bad", [None, nan, inf, -inf, -0.5])
def test_a_weight_that_cannot_be_used_does_not_vote(bad: float | None) -> None:
    ctx = Fake(answer=EXACT)
    winner = vote(Vote(weight="w"), candidates("a", "a", "b", w=[bad, bad, 0.1]), ctx)
    assert winner is not None
    assert winner.text == "b"
    assert winner.scores["vote"] == 1.0
    assert told(ctx)["no_weight"] == 2


def test_zero_weights_elect_nobody() -> None:
    given = candidates("a", "b", w=[0.0, 0.0])
    assert vote(Vote(weight="w", otherwise="none"), given) is None
    fallback = vote(Vote(weight="w"), given)
    assert fallback is not None
    assert fallback.notes["fallback"]


def test_a_weight_above_one_is_no_weight_where_it_stops_early() -> None:
    given = candidates("a", "b", "b", w=[7.0, 1.0, 1.0])
    assert (heavy := vote(Vote(weight="w"), given)) is not None
    assert heavy.text == "a"
    assert (even := vote(Vote(weight="w", stop_at="exact"), given)) is not None
    assert even.text == "b"


def test_exact_stops_when_the_lead_exceeds_what_is_outstanding() -> None:
    fed = Fed(candidates("a", "b", "a", "a", "a", "b", "b"))
    ctx = Fake(answer=EXACT)
    winner = vote(Vote(stop_at="exact"), fed, ctx)
    assert winner is not None
    assert winner.text == "a"
    # After five of seven: 4 - 1 = 3 > 2 outstanding; after four, 3 - 1 = 2 is not more than 3.
    assert (fed.read, fed.closed) == (5, True)
    assert told(ctx)["stopped"] is True


def test_exact_reckons_with_candidates_that_may_still_come() -> None:
    fed = Fed(candidates("a", "a", "a"), most=20)
    assert vote(Vote(stop_at="exact"), fed) is not None
    assert (fed.read, fed.closed) == (3, False)


def test_confidence_stops_after_four_of_a_kind_at_the_papers_threshold() -> None:
    fed = Fed(candidates(*["a"] * 40))
    assert vote(Vote(stop_at=0.95), fed) is not None
    assert (fed.read, fed.closed) == (4, True)
    fed = Fed(candidates("", "", *["a"] * 40))
    assert vote(Vote(stop_at=0.6, min_votes=3), fed) is not None
    assert fed.read == 5


def test_early_stopping_reads_in_index_order_a_few_ahead() -> None:
    assert Vote().window(flow(16)) is None
    assert Vote(stop_at="exact").window(flow(16)) == 4
    assert Vote(stop_at=0.9, ahead=2).window(flow(16)) == 2


def test_least_is_what_a_unanimous_run_reads() -> None:
    for op in (Vote(), Vote(stop_at="exact"), Vote(stop_at=0.95), Vote(stop_at=0.6, min_votes=5)):
        for count in range(2, 20):
            fed = Fed(candidates(*["a"] * count))
            assert vote(op, fed) is not None
            assert op.least(flow(count)) == fed.read


def test_flow() -> None:
    out = Vote(weight="verify").flow(flow(2, 3, "verify"))
    assert out.count == Amount(1, 1)
    assert out.scores == {"verify", "vote"}
    assert out.notes == {"votes", "no_answer"}
    assert Vote(otherwise="none").flow(flow(3)).count == Amount(0, 1)
    assert Vote().flow(flow(0, 3)).count == Amount(0, 1)
    with pytest.raises(Mismatch, match="scores there: rank") as wrong:
        Vote(weight="verify").flow(flow(3, 3, "rank"))
    assert wrong.value.field == "weight"
    for low, what in ((0, "over nothing"), (1, "over one candidate")):
        with pytest.raises(Mismatch, match=what):
            Vote().flow(flow(low))
    assert Vote().calls(flow(3)) == ()
    assert Vote.effect == "pure"


@pytest.mark.parametrize("wrong", [{"stop_at": 0.5}, {"stop_at": 1}, {"stop_at": "soon"}])
def test_refuses_wrong_arguments(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Vote.model_validate(wrong)


answers = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=15)


@given(answers)
def test_is_plurality_with_the_tie_rule(texts: list[str]) -> None:
    counts = Counter(text for text in texts if text)
    winner = vote(Vote(otherwise="none"), candidates(*texts))
    if not counts:
        assert winner is None
        return
    # Counter keeps the order of first occurrence, and max takes the first of equals.
    best = max(counts, key=counts.__getitem__)
    assert winner is not None
    assert winner.origin.index == texts.index(best)
    assert winner.scores["vote"] == counts[best] / counts.total()


@given(answers, st.data())
def test_an_exact_stop_never_changes_the_winner(texts: list[str], data: st.DataObject) -> None:
    weight = st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.1, 0.2, 0.3, nan]))
    weights = data.draw(st.lists(weight, min_size=len(texts), max_size=len(texts)))
    given = candidates(*texts, w=weights)
    for arguments in ({}, {"weight": "w"}):
        full = vote(Vote.model_validate(arguments), given)
        early = vote(Vote.model_validate({**arguments, "stop_at": "exact"}), given)
        assert (early and early.answer) == (full and full.answer)
        if not arguments:
            assert (early and early.origin) == (full and full.origin)


@given(answers, st.randoms(use_true_random=False))
def test_equal_weights_vote_like_none_and_permuted_ones_elect_no_less(
    texts: list[str], random: Random
) -> None:
    plain = vote(Vote(), candidates(*texts))
    equal = vote(Vote(weight="w"), candidates(*texts, w=[0.25] * len(texts)))
    assert (plain and plain.origin) == (equal and equal.origin)
    # Weights permuted within the candidates of one answer leave the totals as they are.
    weights = [random.choice([0.1, 0.2, 0.7, 1.0]) for _ in texts]
    permuted = list(weights)
    for answer in set(texts):
        places = [i for i, text in enumerate(texts) if text == answer]
        for place, other in zip(places, random.sample(places, len(places)), strict=True):
            permuted[place] = weights[other]
    one = vote(Vote(weight="w"), candidates(*texts, w=weights))
    two = vote(Vote(weight="w"), candidates(*texts, w=permuted))
    assert (one and one.answer) == (two and two.answer)
    assert (one and one.notes) == (two and two.notes)


@given(answers, st.sampled_from([0.6, 0.8, 0.95]))
def test_a_stopped_vote_elects_the_leader_of_what_it_read(texts: list[str], level: float) -> None:
    fed = Fed(candidates(*texts))
    early = vote(Vote(stop_at=level), fed)
    full = vote(Vote(), candidates(*texts[: fed.read]))
    assert (early and early.origin) == (full and full.origin)


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 300))
def test_the_confidence_is_the_exact_sum(leader: int, runner_up: int) -> None:
    # P(p > 1/2) for Beta(a + 1, b + 1) is P(at most a heads in a + b + 1 fair tosses).
    tosses = leader + runner_up + 1
    exact = Fraction(sum(comb(tosses, heads) for heads in range(leader + 1)), 2**tosses)
    assert lead_confidence(leader, runner_up) == pytest.approx(float(exact), abs=1e-10)


@given(st.floats(0, 500), st.floats(0, 500))
def test_the_confidence_is_a_probability_of_either_side(leader: float, runner_up: float) -> None:
    one, other = lead_confidence(leader, runner_up), lead_confidence(runner_up, leader)
    assert 0 <= one <= 1
    assert one + other == pytest.approx(1)
    assert (one >= 0.5 - 1e-12) == (leader >= runner_up) or abs(leader - runner_up) < 1e-9


def test_without_a_usable_weight_the_plurality_stands_in() -> None:
    ctx = Fake()
    given = candidates("3", "4", "4", verify=[0.0, 0.0, None])
    (winner,) = decide(Vote(weight="verify"), ctx, given)
    assert winner.origin.key == "drafts[1]"
    assert "vote" not in winner.scores
    assert winner.notes["fallback"] == "nothing voted"
    (first,) = decide(Vote(weight="verify", otherwise="first"), Fake(), given)
    assert first.origin.key == "drafts[0]"


def test_ties_go_where_they_are_said_to_go() -> None:
    given = candidates("aaa", "b", "b", "aaa", "cc", "")
    shortest = vote(Vote(ties="shortest"), given)
    assert shortest is not None
    assert shortest.text == "b"
    drawn = set()
    for seed in range(40):
        ctx = Fake(answer=EXACT)
        ctx.rng = lambda *names, seed=seed: Random(seed)  # type: ignore[method-assign,misc]
        winner = vote(Vote(ties="random"), given, ctx)
        assert winner is not None
        drawn.add(winner.text)
    assert drawn == {"aaa", "b"}


def test_the_softmax_of_scores_below_zero_can_weigh() -> None:
    given = candidates("a", "b", "b", logprob=[-1000.0, -1001.0, -1001.5])
    winner = vote(Vote(weight="logprob", scale="softmax"), given)
    assert winner is not None
    assert winner.text == "a"
    assert winner.scores["vote"] == pytest.approx(1 / (1 + 0.36788 + 0.22313), abs=1e-5)
    assert vote(Vote(weight="logprob", otherwise="none"), given) is None


def test_ranks_weigh_as_borda_counts() -> None:
    given = candidates("a", "b", "b", "c", w=[9.0, 0.5, 0.5, -7.0])
    winner = vote(Vote(weight="w", scale="borda"), given)
    assert winner is not None
    assert winner.notes["votes"] == [["b", 5.0], ["a", 4.0], ["c", 1.0]]
    sharper = vote(Vote(weight="w", scale="borda", power=2), given)
    assert sharper is not None
    assert sharper.notes["votes"] == [["a", 16.0], ["b", 12.5], ["c", 1.0]]


def test_equal_texts_vote_once_where_they_should() -> None:
    ctx = Fake(answer=EXACT)
    winner = vote(Vote(distinct=True), candidates("a", "a", "a", "b", " b"), ctx)
    assert winner is not None
    assert winner.notes["votes"] == [["a", 1], ["b", 1], [" b", 1]]
    assert told(ctx)["voted"] == 3
    assert told(ctx)["no_weight"] == 0


def test_so_many_in_a_row_stop_it() -> None:
    fed = Fed(candidates("a", "b", "b", "", "b", "a", "a"))
    winner = vote(Vote(in_a_row=3), fed)
    assert winner is not None
    assert winner.text == "b"
    assert (fed.read, fed.closed) == (5, True)
    assert Vote(in_a_row=3).window(flow(9)) == 4
    assert Vote(in_a_row=3).least(flow(9)) == 3


FITTED = Weights(
    made="2026-01-01",
    pipeline="p",
    data=Data(file="d.jsonl", sha256="0" * 64, items=3),
    models={"strong": "x/s", "weak": "x/w"},
    weights={"strong": 2.5, "weak": 1.0},
)


def by(model: str, text: str, index: int) -> Candidate:
    made = candidates(text)[0]
    return replace(made, origin=Origin("drafts", index, model))


@pytest.mark.parametrize("stop_at", [None, "exact"])
def test_what_was_fitted_weighs_models(stop_at: str | None) -> None:
    told = [("strong", "a"), ("weak", "b"), ("weak", "b"), ("other", "b")]
    ctx = Fake(answer=EXACT)
    given = [by(model, text, index) for index, (model, text) in enumerate(told)]
    winner = vote(Vote.model_validate({"weight": FITTED, "stop_at": stop_at}), given, ctx)
    assert winner is not None
    assert winner.notes["votes"] == [["a", 2.5], ["b", 2.0]]
    assert dict(ctx.notes)["vote"]["no_weight"] == 1  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    "arguments",
    [
        {"scale": "softmax"},
        {"weight": "w", "scale": "softmax", "stop_at": "exact"},
        {"weight": "w", "power": 2},
        {"weight": FITTED, "scale": "borda"},
    ],
)
def test_what_cannot_be_scaled_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Vote.model_validate(arguments)


@settings(deadline=None, max_examples=40)
@example(31, 1, [])  # a lead that is all but sure
@given(st.integers(0, 60), st.integers(0, 60), st.lists(st.integers(0, 60), max_size=3))
def test_to_beat_all_is_to_beat_the_runner_up_where_there_are_two_and_less_likely_else(
    leader: int, runner_up: int, others: list[int]
) -> None:
    beta = lead_confidence(leader, runner_up)
    assert lead_among([leader, runner_up]) == pytest.approx(beta, abs=1e-5)
    assert lead_among([leader, runner_up, *others]) <= beta + 1e-5


def test_the_chance_to_beat_all_is_that_of_simulated_shares() -> None:
    rng = Random(0)
    votes = [5, 3, 2, 0]
    wins = 0
    for _ in range(20_000):
        shares = [rng.gammavariate(cast + 1, 1) for cast in votes]
        wins += shares[0] == max(shares)
    assert lead_among(votes) == pytest.approx(wins / 20_000, abs=0.015)
    assert lead_among([0, 0, 0, 0]) == pytest.approx(0.25, abs=1e-4)


def test_dirichlet_stops_no_earlier_and_later_where_many_answers_are_about() -> None:
    texts = ["a", "b", "c", "d", "a", "a", "a", *["a"] * 30]
    read = {}
    for posterior in ("beta", "dirichlet"):
        fed = Fed(candidates(*texts))
        op = Vote.model_validate({"stop_at": 0.95, "posterior": posterior})
        assert vote(op, fed) is not None
        read[posterior] = fed.read
    assert read["beta"] < read["dirichlet"] < len(texts)


PRUNING = Vote(weight="lp", scale="softmax", prune=True, distinct=True)


def test_improbable_texts_are_pruned_before_the_vote() -> None:
    given = candidates("a", "b", "c", "d", "e", "f", lp=[-5.0, -5.2, -5.4, -40.0, -41.0, -43.0])
    ctx = Fake(answer=EXACT)
    winner = vote(PRUNING, given, ctx)
    assert winner is not None
    assert winner.notes["pruned"] == 3
    assert told(ctx)["pruned"] == 3
    assert len(winner.notes["votes"]) == 3  # type: ignore[arg-type]


@given(st.lists(st.integers(-2000, 0).map(float), min_size=2, max_size=20))
@settings(deadline=None, max_examples=60)
def test_the_most_probable_text_is_never_pruned(logprobs: list[float]) -> None:
    names = [f"t{i}" for i in range(len(logprobs))]
    winner = vote(PRUNING, candidates(*names, lp=logprobs))
    assert winner is not None
    assert winner.scores["lp"] == max(logprobs)
    shifted = [one - 3000 for one in logprobs]
    other = vote(PRUNING, candidates(*names, lp=shifted))
    assert other is not None
    assert other.notes["pruned"] == pytest.approx(winner.notes["pruned"], abs=1)


def test_without_probabilities_answers_are_counted() -> None:
    winner = vote(PRUNING, candidates("a", "b", "b"))
    assert winner is not None
    assert winner.text == "b"
    assert winner.notes["fallback"] == "nothing voted"


def call(name: str, **arguments: Json) -> str:
    return json.dumps({"name": name, "arguments": arguments})


def structured(op: Vote, *texts: str) -> Candidate | None:
    kind = answer_kind("json")
    given = [replace(one, answer=kind.read(one.text)) for one in candidates(*texts)]
    return vote(op, given, Fake(answer=kind))


def test_a_call_is_voted_name_first_then_each_argument_among_those_who_agree() -> None:
    winner = structured(
        Vote(parts=("name",)),
        call("search", query="cats", limit=5),
        call("search", query="dogs", limit=3),
        call("search", query="cats", limit=3),
        call("open", query="dogs", limit=9),
        call("open", query="dogs", limit=9),
    )
    assert winner is not None
    # Whole answers would elect `open`, which two give; `dogs` and 9 have the most votes overall.
    assert json.loads(winner.text) == {"name": "search", "arguments": {"query": "cats", "limit": 3}}
    assert winner.origin.key == "drafts[2]"
    assert winner.scores["vote"] == 0.6
    assert ["arguments.query", "'cats'", pytest.approx(2 / 3)] in winner.notes["votes"]  # type: ignore[operator]


def test_what_nobody_said_whole_may_be_elected() -> None:
    winner = structured(
        Vote(parts=()), '{"a": 1, "b": 1}', '{"a": 1, "b": 2}', '{"a": 2, "b": 2, "c": 0}'
    )
    assert winner is not None
    assert json.loads(winner.text) == {"a": 1, "b": 2}
    assert winner.origin.step == "drafts"
    made = structured(Vote(parts=()), '{"a": 1, "b": 1}', '{"a": 1, "c": 2}', '{"b": 1, "c": 2}')
    assert made is not None
    assert json.loads(made.text) == {"a": 1, "b": 1, "c": 2}
    assert (made.origin.step, len(made.origin.parents)) == ("here", 3)


def test_arrays_are_voted_on_by_length_and_then_item_by_item() -> None:
    winner = structured(Vote(parts=()), "[1, 2, 3]", "[1, 2]", "[1, 4]", "[7, 4]")
    assert winner is not None
    assert json.loads(winner.text) == [1, 4]


@given(st.lists(st.sampled_from(["1", "2", "[1]", '{"a":1}', '"x"']), min_size=2, max_size=9))
def test_a_majority_for_one_whole_answer_elects_it(texts: list[str]) -> None:
    kind = answer_kind("exact")
    given = [replace(one, answer=kind.read(one.text)) for one in candidates(*texts)]
    winner = vote(Vote(parts=()), given, Fake(answer=kind))
    text, count = Counter(texts).most_common(1)[0]
    assert winner is not None
    if 2 * count > len(texts):
        assert winner.answer == kind.read(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"prune": True},
        {"prune": True, "weight": "w"},
        {"parts": [], "stop_at": "exact"},
        {"posterior": "dirichlet"},
        {"posterior": "dirichlet", "stop_at": "exact"},
    ],
)
def test_refuses_forms_that_do_not_go_together(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Vote.model_validate(wrong)
