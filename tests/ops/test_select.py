from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from polyarch.compiler.answers import answer_kind
from polyarch.compiler.fitted import Data, Stopping
from polyarch.compiler.op import Amount, Mismatch
from polyarch.ops.select import Select

from .fake import Fake, Fed, candidates, decide, flow

EXACT = answer_kind("exact")


def test_the_best_first_and_ties_by_index() -> None:
    ctx = Fake()
    given = candidates("a", "b", "c", "d", verify=[0.5, 0.9, 0.5, 0.9])
    assert [c.text for c in decide(Select(by="verify", keep=3), ctx, given)] == ["b", "d", "a"]
    assert ctx.notes == []
    assert ctx.calls == []


@pytest.mark.parametrize("bad", [None, nan, inf, -inf])
def test_a_missing_score_never_wins(bad: float | None) -> None:
    ctx = Fake()
    given = candidates("a", "b", verify=[bad, -3.0])
    assert [c.text for c in decide(Select(by="verify", keep=2), ctx, given)] == ["b"]
    assert ctx.notes == [("left out", {"score": "verify", "unscored": 1, "below": 0})]


def test_nothing_fit_abstains_or_falls_back_as_declared() -> None:
    given = candidates("a", "b", verify=[0.1, None])
    strict = Select(by="verify", at_least=0.5)
    ctx = Fake()
    assert decide(strict, ctx, given) == []
    assert ctx.notes == [("left out", {"score": "verify", "unscored": 1, "below": 1})]
    (first,) = decide(strict.model_copy(update={"otherwise": "first"}), Fake(), given)
    assert first.text == "a"
    assert first.notes["fallback"]
    assert decide(Select(by="verify", otherwise="first"), Fake(), []) == []


def test_first_reads_no_further_than_it_keeps() -> None:
    fed = Fed(candidates("a", "b", "c"))
    assert [c.text for c in decide(Select(by="first", keep=2), Fake(), fed)] == ["a", "b"]
    assert (fed.read, fed.closed) == (2, True)
    assert Select(by="first", keep=2).window(flow(3)) == 2
    assert Select(by="first", keep=2).least(flow(3)) == 2
    assert Select(by="verify").window(flow(3)) is None
    assert Select(by="verify").least(flow(3)) == 3


def test_flow() -> None:
    assert Select(by="verify", keep=2).flow(flow(1, 3, "verify")).count == Amount(1, 2)
    assert Select(by="verify", at_least=0.5).flow(flow(3, 3, "verify")).count == Amount(0, 1)
    with pytest.raises(Mismatch, match="scores there: rank, verify") as wrong:
        Select(by="tests").flow(flow(3, 3, "verify", "rank"))
    assert wrong.value.field == "by"
    with pytest.raises(Mismatch, match="keep 4 of at most 3") as wrong:
        Select(by="first", keep=4).flow(flow(3))
    assert wrong.value.field == "keep"
    with pytest.raises(Mismatch, match="reads no score"):
        Select(by="first", at_least=0.5).flow(flow(3))
    with pytest.raises(Mismatch, match="over nothing"):
        Select(by="first").flow(flow(0))


def test_refuses_wrong_arguments() -> None:
    for wrong in ({}, {"by": ""}, {"by": "verify", "keep": 0}):
        with pytest.raises(ValidationError):
            Select.model_validate(wrong)


@given(st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=8), st.integers(1, 8))
def test_is_a_stable_sort_of_what_is_finite(scores: list[float | None], keep: int) -> None:
    given = candidates(*map(str, range(len(scores))), s=scores)
    chosen = decide(Select(by="s", keep=keep), Fake(), given)
    usable = [i for i, s in enumerate(scores) if s is not None and abs(s) < inf]
    best = sorted(usable, key=lambda i: (-(scores[i] or 0.0), i))[:keep]
    assert [c.origin.index for c in chosen] == best


def test_support_leaves_out_rare_answers_however_much_they_are_liked() -> None:
    ctx = Fake(answer=EXACT)
    given = candidates("a", "b", "b", "c", "c", "", verify=[9.0, 2.0, 1.0, 3.0, 0.0, 8.0])
    assert decide(Select(by="verify", support=0.3), ctx, given)[0].text == "c"
    assert decide(Select(by="verify", support=0), ctx, given)[0].text == "a"
    (most,) = decide(Select(by="verify", support=0.9), ctx, given)
    assert most.text == "c"
    assert decide(Select(by="verify", support=0.5), ctx, candidates("", verify=[1.0])) != []
    with pytest.raises(Mismatch, match="too few to count"):
        Select(by="first", support=0.5).flow(flow(3))


def test_it_stops_at_what_is_good_enough_and_takes_the_best_read() -> None:
    texts, scores = ("a", "b", "c", "d"), [0.2, 0.9, 0.95, 1.0]
    fed = Fed(candidates(*texts, w=scores))
    ctx = Fake()
    (best,) = decide(Select(by="w", stop_at=0.8), ctx, fed)
    assert (best.text, fed.read, fed.closed) == ("b", 2, True)
    assert ctx.notes == [("enough", {"read": 2, "stopped": True})]
    fed = Fed(candidates(*texts, w=scores))
    assert [c.text for c in decide(Select(by="w", stop_at=0.8, keep=2), Fake(), fed)] == ["c", "b"]
    assert fed.read == 3
    none = decide(Select(by="w", stop_at=2), Fake(), candidates(*texts, w=scores))
    assert [c.text for c in none] == ["d"]
    op = Select(by="w", stop_at=0.8, ahead=3)
    assert (op.window(flow(9)), op.least(flow(9))) == (3, 1)


def test_a_fitted_stop_is_for_its_own_score() -> None:
    fitted = Stopping(
        made="2026-01-01",
        pipeline="p",
        data=Data(file="d", sha256="0" * 64, items=1),
        models={},
        score="w",
        at_least=0.8,
        cost=0.1,
        value=0.7,
    )
    fed = Fed(candidates("a", "b", "c", w=[0.1, 0.8, 0.9]))
    decide(Select(by="w", stop_at=fitted), Fake(), fed)
    assert fed.read == 2
    with pytest.raises(ValidationError, match="for the score 'w'"):
        Select(by="verify", stop_at=fitted)
    with pytest.raises(ValidationError, match="counts all answers"):
        Select(by="w", stop_at=1, support=0.5)
    with pytest.raises(Mismatch, match="reads no score"):
        Select(by="first", stop_at=1).flow(flow(3))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0, 1), st.integers(1, 3))
def test_a_stop_that_nothing_reaches_is_no_stop(scores: list[float], at: float, keep: int) -> None:
    given = candidates(*map(str, range(len(scores))), w=scores)
    full = decide(Select(by="w", keep=keep), Fake(), given)
    early = decide(Select(by="w", keep=keep, stop_at=at), Fake(), given)
    if sum(score >= at for score in scores) < keep:
        assert early == full
    else:
        assert all(one.scores["w"] >= at for one in early)
