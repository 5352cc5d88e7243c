"""Which few models do best together: by an exact search of small subsets, and greedily."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from types import MappingProxyType
from typing import Literal

import numpy as np

from ..intervals import Interval, bootstrap
from .coverage import Floats
from .halves import halves
from .models import Answers

__all__ = [
    "Ensembles",
    "Rule",
    "Subset",
    "best_subset",
    "ensembles",
    "greedy_subset",
    "oracle",
    "plurality",
]

Rule = Literal["plurality", "oracle"]

_ASSUMES = (
    "the questions chosen on stand for those to come; report the subset on others",
    "of answers that tie, each is as likely to be chosen",
)


@dataclass(frozen=True, slots=True)
class Subset:
    """Models in the order of the data, and their `accuracy` together on the questions chosen on.

    `exact` is whether every subset of the size was tried.
    """

    models: tuple[str, ...]
    rows: tuple[int, ...]
    accuracy: float
    exact: bool
    assumes: tuple[str, ...] = _ASSUMES


def plurality(answers: Answers, rows: Sequence[int]) -> float:
    """How often the most frequent answer of these models is right; none is wrong."""
    return float(_plurality(answers, rows).mean())


def oracle(answers: Answers, rows: Sequence[int]) -> float:
    """How often at least one of these models is right."""
    return float(_oracle(answers, rows).mean())


def _plurality(answers: Answers, rows: Sequence[int]) -> Floats:
    groups, right = answers.groups[list(rows)], answers.right[list(rows)]
    given = groups >= 0
    votes = ((groups[:, None] == groups[None]) & given[None]).sum(axis=1) * given
    # Each answer is told once by each of its voters: divide by them.
    winning = np.where((votes == votes.max(axis=0)) & given, 1 / np.maximum(votes, 1), 0.0)
    kinds = winning.sum(axis=0)
    return np.asarray((winning * right).sum(axis=0) / np.where(kinds > 0, kinds, 1.0))


def _oracle(answers: Answers, rows: Sequence[int]) -> Floats:
    return np.asarray(answers.right[list(rows)].any(axis=0), dtype=np.float64)


_EACH: Mapping[Rule, Callable[[Answers, Sequence[int]], Floats]] = MappingProxyType(
    {"plurality": _plurality, "oracle": _oracle}
)


def best_subset(
    answers: Answers, size: int, *, rule: Rule = "plurality", most: int = 20_000
) -> Subset:
    """The best `size` models together: of all subsets where there are at most so many, else grown
    greedily. The first of equals. Raises ValueError for a size that there is not."""
    count = len(answers.models)
    if not 1 <= size <= count:
        raise ValueError(f"{size} of {count} models cannot be chosen")
    if comb(count, size) > most:
        return greedy_subset(answers, size, rule=rule)
    score = plurality if rule == "plurality" else oracle
    rows = max(combinations(range(count), size), key=lambda chosen: score(answers, chosen))
    return _subset(answers, rows, score, True)


def greedy_subset(answers: Answers, size: int, *, rule: Rule = "plurality") -> Subset:
    """Models added one by one, each the one that helps most; the first of equals."""
    count = len(answers.models)
    if not 1 <= size <= count:
        raise ValueError(f"{size} of {count} models cannot be chosen")
    score = plurality if rule == "plurality" else oracle
    rows: tuple[int, ...] = ()
    while len(rows) < size:
        left = [row for row in range(count) if row not in rows]
        rows = (*rows, max(left, key=lambda row: score(answers, (*rows, row))))
    return _subset(answers, tuple(sorted(rows)), score, size in (1, count))


@dataclass(frozen=True, slots=True)
class Ensembles:
    """The best subset of each size up to the one asked for, chosen on one half of the questions.

    `held_out` is the accuracy of each on the other half; `greedy` are the subsets that greed finds
    on the same half, with theirs.
    """

    rule: str
    best: tuple[Subset, ...]
    held_out: tuple[Interval, ...]
    greedy: tuple[Subset, ...]
    greedy_held_out: tuple[Interval, ...]
    items: tuple[int, int]
    assumes: tuple[str, ...] = _ASSUMES


def ensembles(answers: Answers, size: int, *, rule: Rule = "plurality") -> Ensembles:
    """The best ensembles of 1 … `size` models. Raises ValueError where a half has no question."""
    one, other = (answers.of(half) for half in halves(answers.items))
    if not one.items or not other.items:
        raise ValueError(f"{len(answers.items)} questions are too few to choose on one half")
    best = tuple(best_subset(one, count, rule=rule) for count in range(1, size + 1))
    greedy = tuple(greedy_subset(one, count, rule=rule) for count in range(1, size + 1))
    told = [
        tuple(bootstrap(_EACH[rule](other, own.rows).tolist()) for own in found)
        for found in (best, greedy)
    ]
    return Ensembles(rule, best, told[0], greedy, told[1], (len(one.items), len(other.items)))


def _subset(
    answers: Answers,
    rows: tuple[int, ...],
    score: Callable[[Answers, Sequence[int]], float],
    exact: bool,
) -> Subset:
    names = tuple(answers.models[row] for row in rows)
    return Subset(names, rows, score(answers, rows), exact)
