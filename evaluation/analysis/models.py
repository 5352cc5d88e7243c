"""How far models err together: what an ensemble of them lives on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .coverage import Floats
from .draws import Draw

__all__ = ["Answers", "Errors", "answers_of", "errors"]


@dataclass(frozen=True, slots=True)
class Answers:
    """One answer of each model (rows) to each question (columns).

    `groups` tell equal answers to a question by equal numbers, -1 *no answer*.
    """

    models: tuple[str, ...]
    items: tuple[str, ...]
    right: NDArray[np.bool_]
    groups: NDArray[np.int64]

    def of(self, columns: NDArray[np.int64]) -> Answers:
        """The same for some of the questions."""
        items = tuple(self.items[column] for column in columns)
        return Answers(self.models, items, self.right[:, columns], self.groups[:, columns])


@dataclass(frozen=True, slots=True)
class Errors:
    """Model by model: `correlation` of being wrong, and `same`, how often two that are both wrong
    give the same answer; NaN where that is not defined. `together` is the share of questions that
    all get wrong, `independent` what it would be if errors were."""

    models: tuple[str, ...]
    accuracy: tuple[float, ...]
    correlation: Floats
    same: Floats
    together: float
    independent: float
    items: int
    assumes: tuple[str, ...] = ("answers are equal where their canonical texts are",)


def answers_of(draws: Iterable[Draw]) -> Answers:
    """The first draw of every model to each question that was put to all, grouped by its text.

    Raises ValueError for fewer than two models, and where no question was put to all.
    """
    first: dict[str, dict[str, Draw]] = {}
    for draw in draws:
        first.setdefault(draw.source, {}).setdefault(draw.item, draw)
    if len(first) < 2:
        raise ValueError("what models share needs two of them")
    shared = [item for item in next(iter(first.values())) if all(item in o for o in first.values())]
    if not shared:
        raise ValueError("no question was put to all models")
    groups = np.array([_groups([own[item].answer for own in first.values()]) for item in shared])
    right = np.array([[own[item].right for item in shared] for own in first.values()])
    return Answers(tuple(first), tuple(shared), right, groups.T)


def _groups(given: list[str | None]) -> list[int]:
    known: dict[str, int] = {}
    return [-1 if text is None else known.setdefault(text, len(known)) for text in given]


def errors(answers: Answers) -> Errors:
    """How the errors of models go together."""
    wrong = ~answers.right
    count = len(answers.items)
    rates = wrong.mean(axis=1)
    shared = wrong.astype(np.float64) @ wrong.T.astype(np.float64) / count
    spread = np.sqrt(rates * (1 - rates))
    product = np.outer(spread, spread)
    undefined = np.full_like(shared, np.nan)
    correlation = np.divide(
        shared - np.outer(rates, rates), product, out=undefined.copy(), where=product > 0
    )
    alike = np.array(
        [
            ((one == answers.groups) & (one >= 0) & own & wrong).sum(axis=1)
            for one, own in zip(answers.groups, wrong, strict=True)
        ]
    )
    same = np.divide(alike / count, shared, out=undefined, where=shared > 0)
    return Errors(
        answers.models,
        tuple(map(float, 1 - rates)),
        correlation,
        same,
        float(wrong.all(axis=0).mean()),
        float(np.prod(rates)),
        count,
    )
