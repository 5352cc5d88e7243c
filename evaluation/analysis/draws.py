"""What analyses look at: who drew what for which question, and whether it was right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .coverage import Floats

__all__ = ["Draw", "Draws", "gathered"]


def _no_scores() -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, slots=True)
class Draw:
    """One answer to a question by `source`, a model or a pipeline; `answer` None is *no answer*."""

    source: str
    item: str
    answer: str | None
    right: bool
    scores: Mapping[str, float] = field(default_factory=_no_scores)


@dataclass(frozen=True, slots=True)
class Draws:
    """The draws of one source, question by question in `items`, each question's in their order.

    `groups` tell equal answers by equal numbers, -1 *no answer*; `scores` hold NaN where a draw has
    none of that name.
    """

    source: str
    items: tuple[str, ...]
    right: tuple[NDArray[np.bool_], ...]
    groups: tuple[NDArray[np.int64], ...]
    scores: Mapping[str, tuple[Floats, ...]]

    @property
    def hits(self) -> list[int]:
        """How many draws of each question are right."""
        return [int(own.sum()) for own in self.right]

    @property
    def counts(self) -> list[int]:
        """How many draws each question has."""
        return [len(own) for own in self.right]


def gathered(draws: Iterable[Draw]) -> tuple[Draws, ...]:
    """Draws by source and question, both in the order of their first draw."""
    by: dict[str, dict[str, list[Draw]]] = {}
    for draw in draws:
        by.setdefault(draw.source, {}).setdefault(draw.item, []).append(draw)
    return tuple(_of(source, items) for source, items in by.items())


def _of(source: str, items: Mapping[str, list[Draw]]) -> Draws:
    names = dict.fromkeys(name for own in items.values() for draw in own for name in draw.scores)
    return Draws(
        source,
        tuple(items),
        tuple(np.array([draw.right for draw in own], dtype=np.bool_) for own in items.values()),
        tuple(_groups(own) for own in items.values()),
        {
            name: tuple(
                np.array([draw.scores.get(name, np.nan) for draw in own]) for own in items.values()
            )
            for name in names
        },
    )


def _groups(own: list[Draw]) -> NDArray[np.int64]:
    known: dict[str, int] = {}
    return np.array(
        [-1 if d.answer is None else known.setdefault(d.answer, len(known)) for d in own],
        dtype=np.int64,
    )
