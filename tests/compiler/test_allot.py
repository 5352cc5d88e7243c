"""Tokens split over items: exactly, by weight and by place."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyarch.compiler.allot import Allot

Decay = Literal["equal", "linear", "polynomial", "exponential", "cosine"]
DECAYS: tuple[Decay, ...] = ("equal", "linear", "polynomial", "exponential", "cosine")


@given(
    st.lists(st.floats(1e-3, 1e300), min_size=1, max_size=100),
    st.integers(0, 10**6),
    st.sampled_from(DECAYS),
    st.floats(1, 10),
)
def test_caps_sum_to_the_whole_exactly_and_none_is_empty(
    weights: list[float], spare: int, decay: Decay, steepness: float
) -> None:
    tokens = len(weights) + spare
    caps = Allot(tokens=tokens, decay=decay, steepness=steepness).caps(weights)
    assert sum(caps) == tokens
    assert min(caps) >= 1
    assert len(caps) == len(weights)


@given(st.integers(1, 100), st.integers(0, 10**5), st.sampled_from(DECAYS))
def test_of_items_that_weigh_alike_none_has_more_than_one_before_it(
    count: int, spare: int, decay: Decay
) -> None:
    caps = Allot(tokens=count + spare, decay=decay).caps([1.0] * count)
    assert list(caps) == sorted(caps, reverse=True)


@pytest.mark.parametrize(
    ("decay", "weights", "caps"),
    [
        ("equal", [1, 1, 1, 1], (251, 251, 251, 251)),
        ("equal", [1, 2, 2, 5], (101, 201, 201, 501)),
        ("linear", [1, 1, 1, 1], (401, 301, 201, 101)),
        ("linear", [1, 4, 1, 1], (211, 633, 106, 54)),
        ("polynomial", [1, 1, 1, 1], (535, 301, 134, 34)),
        ("exponential", [1, 1, 1, 1], (534, 268, 134, 68)),
        ("cosine", [1, 1, 1, 1], (401, 342, 201, 60)),
    ],
)
def test_each_has_one_token_and_its_share_of_the_rest(
    decay: Decay, weights: list[float], caps: tuple[int, ...]
) -> None:
    assert Allot(tokens=1004, decay=decay).caps(weights) == caps


def test_fewer_tokens_than_items_are_refused() -> None:
    with pytest.raises(ValueError, match="2 tokens are too few for 3 items"):
        Allot(tokens=2).caps([1, 1, 1])
