"""Vectors of models and questions tell what sums of both cannot."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pytest

from polyarch.evaluation.fitting.factors import additive, factorised, matrix, projection

Array: TypeAlias = np.typing.NDArray[np.float64]

DICE = np.random.default_rng(3)
KNOWN = (DICE.random((80, 12)) < 0.7).astype(float)


def error(expected: Array, right: Array) -> float:
    return float((((expected - right) ** 2) * (1 - KNOWN)).sum() / (1 - KNOWN).sum())


def test_sums_are_found_where_there_are_only_sums() -> None:
    right = 0.5 + 0.1 * DICE.normal(size=(80, 1)) + 0.1 * DICE.normal(size=12)
    found = additive(right, KNOWN, held_back=0.0)
    assert found.expected == pytest.approx(right, abs=1e-3)
    assert (
        np.abs(factorised(right, KNOWN, 2).left @ factorised(right, KNOWN, 2).right.T).max() < 0.2
    )


def test_two_kinds_of_questions_and_models_are_told_apart() -> None:
    kind, taste = DICE.choice([-1, 1], size=(80, 1)), DICE.choice([-1, 1], size=12)
    right = (kind * taste > 0).astype(float)
    plain, vectors = additive(right, KNOWN), factorised(right, KNOWN, 1, 1.0)
    assert error(plain.expected, right) > 0.2
    assert error(vectors.expected, right) < 0.05
    # A wrong cell that is not known changes nothing.
    changed = np.where(KNOWN > 0, right, 1 - right)
    again = factorised(changed, KNOWN, 1, 1.0).expected
    assert again == pytest.approx(vectors.expected, abs=1e-9)


def test_vectors_follow_from_words() -> None:
    texts = [f"{word} and {n}" for n in range(20) for word in ("pens", "trains")]
    wanted = np.array([[1.0], [-1.0]] * 20)
    way = projection(texts, wanted, 64, 0.1)
    told = matrix(["pens or 3", "trains or 3"], 64) @ way
    assert told[0, 0] > 0.2
    assert told[1, 0] < -0.2
