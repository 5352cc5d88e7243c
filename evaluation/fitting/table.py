"""Which way of answering suits what a few draws say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from statistics import fmean

from ...compiler.errors import InputError
from ...compiler.fitted import Table
from .seen import About

__all__ = ["Tried", "Worth", "fit_table"]

_FEWEST = 5
"""Questions of one kind, for a row of the table."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A question that was answered in every way: what its probe says, and of each case whether it
    is right and what it cost beside the probe."""

    key: str
    right: Mapping[str, bool]
    cost: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Worth:
    """What a table looks at, and the most that one more right answer may cost; None: anything."""

    by: str
    draws: int
    most: float | None = None


def fit_table(tried: Sequence[Tried], about: About, cases: Sequence[str], worth: Worth) -> Table:
    """For each kind of question the case with the most right answers, less what it costs; of equal
    ones the cheaper, and then the one named first. Raises `InputError` without questions."""
    if not tried:
        raise InputError("no questions")
    kinds: dict[str, list[Tried]] = {}
    for one in tried:
        kinds.setdefault(one.key, []).append(one)
    return Table(
        made=about.made,
        pipeline=about.pipeline,
        data=about.data,
        models=about.models,
        by="agreement" if worth.by == "agreement" else "answers",
        draws=worth.draws,
        cases=tuple(cases),
        table={
            key: _best(ones, cases, worth)
            for key, ones in sorted(kinds.items())
            if len(ones) >= _FEWEST
        },
        otherwise=_best(tried, cases, worth),
    )


def _best(tried: Sequence[Tried], cases: Sequence[str], worth: Worth) -> str:
    def value(case: str) -> tuple[float, float]:
        right = fmean(one.right[case] for one in tried)
        cost = fsum(one.cost[case] for one in tried) / len(tried)
        return right - (cost / worth.most if worth.most else 0.0), -cost

    return max(cases, key=value)
