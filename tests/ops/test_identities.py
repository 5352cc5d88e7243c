"""One form is another where it must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from sim import solo

from polyarch.compiler.answers import answer_kind
from polyarch.compiler.op import All
from polyarch.compiler.values import Candidate
from polyarch.ops.mbr import Mbr
from polyarch.ops.select import Select
from polyarch.ops.vote import Vote

from .fake import Fake, candidates, decide

EXACT = answer_kind("exact")
VOTED = """
name: voted
models: {{m: scripted/x}}
answer: exact
steps:
  drafts: {{op: generate, n: {n}, temperature: 1}}
  {race}
  answer: {{op: vote}}
"""
DRAWS = st.lists(
    st.tuples(st.sampled_from(["", "a", "b", "c"]), st.floats(0, 1, allow_nan=False)),
    min_size=1,
    max_size=12,
)


def pool(draws: Sequence[tuple[str, float]]) -> list[Candidate]:
    return candidates(*(text for text, _ in draws), w=[score for _, score in draws])


def chosen(op: All, given: Sequence[Candidate]) -> str:
    (out,) = decide(op, Fake(answer=EXACT), given)
    return out.text


@given(DRAWS)
def test_best_of_majority_without_a_majority_is_best_of_n_of_those_that_answer(
    draws: list[tuple[str, float]],
) -> None:
    given = pool(draws)
    answering = [c for c in given if c.answer is not None] or given
    assert chosen(Select(by="w", support=0), given) == chosen(Select(by="w"), answering)


@given(DRAWS)
def test_best_of_a_whole_majority_is_the_plurality(draws: list[tuple[str, float]]) -> None:
    given = pool(draws)
    votes = decide(Vote(), Fake(answer=EXACT), given)[0].notes["votes"]
    assert isinstance(votes, list)
    most = [answer for answer, count in votes if count == votes[0][1]]
    best = chosen(Select(by="w", support=1), given)
    assert best in (most or [c.text for c in given])


def decided(drawn: Sequence[tuple[str, int]]) -> bool:
    """Whether one answer is given most often; of equal ones a race takes what came first."""
    counts = sorted(Counter(text for text, _ in drawn).values())
    return len(counts) == 1 or counts[-1] > counts[-2]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=2, max_size=8).filter(
        decided
    )
)
def test_a_race_of_all_is_the_plain_vote(drawn: list[tuple[str, int]]) -> None:
    def voted(race: str) -> str:
        result, _ = solo(
            VOTED.format(n=len(drawn), race=race),
            lambda request, draw: drawn[draw.number][0],
            lambda request, draw: float(drawn[draw.number][1]),
        )
        return str(result)

    assert voted("") == voted(f"first: {{op: race, first: {len(drawn)}}}")


@given(DRAWS)
def test_equal_weights_are_no_weights(draws: list[tuple[str, float]]) -> None:
    given = pool([(text, 0.5) for text, _ in draws])
    plain = chosen(Vote(), given)
    assert chosen(Vote(weight="w"), given) == plain
    assert chosen(Vote(weight="w", scale="softmax"), given) == plain
    assert chosen(Vote(weight="w", scale="borda"), given) == plain


@given(DRAWS)
def test_an_exact_stop_and_a_row_of_all_choose_as_the_whole_vote(
    draws: list[tuple[str, float]],
) -> None:
    given = pool(draws)

    def answer(op: Vote) -> str:
        out = decide(op, Fake(answer=EXACT), given)[0]
        return "" if out.answer is None else out.answer.text

    plain = answer(Vote())
    assert answer(Vote(stop_at="exact", ahead=1)) == plain
    assert answer(Vote(in_a_row=max(2, len(given)))) == plain


@given(DRAWS)
def test_distinct_texts_are_a_vote_of_sets(draws: list[tuple[str, float]]) -> None:
    given = pool(draws)
    once = candidates(*dict.fromkeys(text for text, _ in draws))
    assert chosen(Vote(distinct=True), given) == chosen(Vote(), once)


@given(DRAWS)
def test_agreement_on_equal_answers_is_the_plurality(draws: list[tuple[str, float]]) -> None:
    given = pool(draws)
    assert chosen(Mbr(), given) == chosen(Vote(), given)
    if any(text and score > 1e-6 for text, score in draws):
        assert chosen(Mbr(weight="w"), given) == chosen(Vote(weight="w"), given)
