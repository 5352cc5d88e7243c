"""Choosing by agreement."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from polyarch.compiler.answers import answer_kind
from polyarch.compiler.model import Capability
from polyarch.compiler.op import Amount, Mismatch, Reply
from polyarch.compiler.values import Candidate, Usage
from polyarch.ops._utilities import Grams, chrf
from polyarch.ops.mbr import Mbr

from .fake import Call, Fake, Fed, candidates, decide, flow

EXACT = answer_kind("exact")


def got(op: Mbr, given: Sequence[Candidate] | Fed, ctx: Fake | None = None) -> list[str]:
    return [c.text for c in decide(op, ctx or Fake(answer=EXACT), given)]


def test_the_exact_best_is_the_plurality_with_its_share() -> None:
    (best,) = decide(Mbr(), Fake(answer=EXACT), candidates("b", "a", "a", "", "c"))
    assert (best.text, best.origin.index) == ("a", 1)
    assert best.scores["mbr"] == 0.5  # of the four that answer


def test_a_text_that_shares_most_with_the_others_wins() -> None:
    given = candidates("the dog ran home", "the cat sat down", "a cat sat down", "the cat sat here")
    ranked = decide(Mbr(utility="chrf", keep=4), Fake(answer=EXACT), given)
    assert ranked[0].text == "the cat sat down"
    assert ranked[-1].text == "the dog ran home"
    assert all(0 < c.scores["mbr"] <= 1 for c in ranked)


def test_evidence_of_a_second_step_cannot_be_chosen() -> None:
    given = candidates("b", "a", "a", "c", "c", "c")
    ctx = Fake(answer=EXACT)
    assert got(Mbr(choose_from="first"), Fed(given, parts=[3, 3]), ctx) == ["a"]
    assert got(Mbr(), Fed(given, parts=[3, 3]), ctx) == ["c"]
    only = Mbr(choose_from="first").flow(flow(3))
    assert only.count == Amount(0, 1)


def test_weights_count_as_evidence_and_what_has_none_is_left_out() -> None:
    given = candidates("a", "a", "b", "c", w=[0.2, 0.2, 0.5, None])
    ctx = Fake(answer=EXACT)
    assert got(Mbr(weight="w"), given, ctx) == ["b"]
    assert ctx.notes == [("left out", {"unusable": 1})]
    negative = candidates("a", "b", w=[-1.0, 0.1])
    assert got(Mbr(weight="w"), negative) == ["b"]


def test_nothing_to_choose_by() -> None:
    silent = candidates("", "")
    ctx = Fake(answer=EXACT)
    (first,) = decide(Mbr(), ctx, silent)
    assert first.origin.index == 0
    assert first.notes["fallback"]
    assert "mbr" not in first.scores
    assert got(Mbr(otherwise="none"), silent) == []
    assert got(Mbr(weight="w", otherwise="none"), candidates("a", "a", w=[0.0, 0.0])) == []


def test_embeddings_agree_by_their_direction() -> None:
    vectors = {"a": (1.0, 0.0), "b": (2.0, 0.2), "c": (0.0, 1.0), "d": (0.0, 0.0)}

    def say(call: Call) -> Reply:
        assert call.role == "embed"
        return Reply(0, "", "", "stop", Usage(), values=vectors[call.messages[0].text])

    ctx = Fake(say, answer=EXACT)
    ranked = decide(Mbr(utility="embedding", keep=4), ctx, candidates("c", "a", "b", "d", ""))
    assert [c.text for c in ranked] == ["b", "a", "c"]
    assert [c.usage.calls for c in ranked] == [1, 1, 1]
    assert len(ctx.calls) == 4  # no answer, no evidence
    assert ctx.unreadable == 1
    op = Mbr(utility="embedding", model="e", max_tokens=5)
    (priced,) = op.calls(flow(2, 4))
    assert (priced.count, priced.completion, priced.prompt) == (
        Amount(0, 4),
        Amount(0, 0),
        Amount(100, 200),
    )
    assert op.asks() == {Capability.EMBEDDINGS}


def test_who_asks_nobody_takes_no_model() -> None:
    assert Mbr().askings() == ()
    assert Mbr().calls(flow(3)) == ()
    for arguments in ({"model": "m"}, {"prompt": "x"}, {"utility": "chrf", "temperature": 0}):
        with pytest.raises(ValidationError, match="asks"):
            Mbr.model_validate(arguments)
    with pytest.raises(Mismatch, match="two candidates"):
        Mbr().flow(flow(1))
    with pytest.raises(Mismatch, match="no score 'w'"):
        Mbr(weight="w").flow(flow(3))


@pytest.mark.parametrize(
    ("text", "reference", "score"),
    [
        # Of sacrebleu 2.6.0, CHRF().sentence_score.
        ("the cat sat on the mat", "a cat sat on the mat", 88.95696795445868),
        ("17*2=34\nanswer: 34", "17*2=36\nanswer: 36", 64.47177822177822),
        ("short", "a much longer reference text", 3.9603960396039604),
        ("ab", "abc", 63.636363636363626),
        ("Zürich ist schön", "Zurich is nice", 37.36202000200383),
        ("x", "xyz", 38.46153846153846),
        ("aaaa", "aa", 78.12499999999999),
        ("dog", "cat", 0.0),
        ("", "", 100.0),
        ("", "cat", 0.0),
    ],
)
def test_chrf_is_that_of_sacrebleu(text: str, reference: str, score: float) -> None:
    assert 100 * chrf(Grams(text), Grams(reference)) == pytest.approx(score)


@given(st.text(max_size=20), st.text(max_size=20))
def test_chrf_is_whole_for_a_text_against_itself_and_a_share_otherwise(a: str, b: str) -> None:
    assert chrf(Grams(a), Grams(a)) == 1
    assert 0 <= chrf(Grams(a), Grams(b)) <= 1
