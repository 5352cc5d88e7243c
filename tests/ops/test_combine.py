"""Sums of scores."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.compiler.op import Mismatch
from polyarch.ops.combine import Combine

from .fake import Fake, candidates, flow, judge


def test_a_weighted_sum_and_none_where_a_part_is_missing() -> None:
    op, ctx = Combine(scores={"a": 1.0, "b": 0.5}, into="c"), Fake()
    given_ = candidates("x", "y", "z", a=[-1.0, 2.0, inf], b=[-4.0, None, 1.0], c=[9.0, 9.0, 9.0])
    made = judge(op, ctx, given_)
    assert [one and one.scores.get("c") for one in made] == [-3.0, None, None]
    assert [note["missing"] for _, note in ctx.notes] == [["b"], ["a"]]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_one_score_that_counts_is_that_score(values: list[float]) -> None:
    given_ = candidates(*"x" * len(values), a=values, b=[1.0] * len(values))
    made = judge(Combine(scores={"a": 1.0, "b": 0.0}), Fake(), given_)
    assert [one and one.scores["combined"] for one in made] == values


def test_every_candidate_must_carry_what_is_added() -> None:
    op = Combine(scores={"a": 1.0, "b": 1.0})
    assert op.flow(flow(2, 3, "a", "b")).scores == {"a", "b", "combined"}
    with pytest.raises(Mismatch, match="no score 'b'") as wrong:
        op.flow(flow(2, 3, "a"))
    assert wrong.value.field == "scores"
