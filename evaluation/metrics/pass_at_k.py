"""The chance that at least one of k draws is right."""

from __future__ import annotations

from math import comb

__all__ = ["pass_at_k"]


def pass_at_k(draws: int, right: int, k: int) -> float:
    """The unbiased estimate of pass@k from so many draws, of which so many are right.

    One less the share of all sets of `k` draws without a right one. Evaluating Large Language
    Models Trained on Code (Chen et al., 2021).

    >>> pass_at_k(4, 1, 2)
    0.5
    """
    if not 0 <= right <= draws or not 1 <= k <= draws:
        raise ValueError(f"pass@{k} cannot be told from {right} of {draws}")
    return 1.0 - comb(draws - right, k) / comb(draws, k)
