"""The questions of a search: what it may look at, and what is locked until the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from ..compiler.answers import Answer
from ..compiler.errors import InputError
from ..evaluation.data import Dataset, Item, load_data
from ..evaluation.data.split import DEV, TEST, part_of
from ..evaluation.metrics import Metric
from ..evaluation.metrics import metric as named
from .examiner import Scores

__all__ = ["Questions", "questions", "scores_of"]


@dataclass(frozen=True)
class Questions:
    """Items of both parts, each in one random order that never changes. `held` are those of `dev`
    that a guard holds back, and are not in it then."""

    name: str
    dev: tuple[Item, ...]
    test: tuple[Item, ...]
    metric: str
    fingerprint: str
    held: tuple[Item, ...] = ()

    @property
    def all(self) -> tuple[Item, ...]:
        """Those of `dev`, those held back, then those of `test`."""
        return (*self.dev, *self.held, *self.test)


def questions(
    where: str | Dataset,
    *,
    fields: Mapping[str, str] | None = None,
    split: str = "",
    seed: int = 0,
    guard: bool = False,
) -> Questions:
    """The questions of a data set, in two parts: an item's id decides on which side it is. With
    `guard`, half of those to choose by are held back.

    Raises `InputError` where there are none to choose by, or to hold back.
    """
    if isinstance(where, Dataset):
        whole = where
    else:
        whole = load_data(where, fields=fields or {}, split=split or None)
    order = list(whole.items)
    Random(f"{seed} {whole.fingerprint}").shuffle(order)
    parts = {
        part: tuple(item for item in order if part_of(item.id) == part) for part in (DEV, TEST)
    }
    if not parts[DEV]:
        raise InputError(f"{whole.name}: no questions to choose a pipeline by")
    dev = parts[DEV]
    kept = (len(dev) + 1) // 2 if guard else len(dev)
    if guard and kept == len(dev):
        raise InputError(f"{whole.name}: one question to choose by, and none to hold back")
    told = (whole.name, dev[:kept], parts[TEST], whole.metric, whole.fingerprint)
    return Questions(*told, held=dev[kept:])


def scores_of(
    asked: Questions, given: str | Mapping[str, Any] | Metric | None
) -> tuple[Scores, tuple[Metric, ...]]:
    """How answers are scored, by the metric given or by what the items name; and these metrics.

    Raises `InputError` where nothing is named.
    """
    if given is not None:
        one = named(given) if isinstance(given, str | Mapping) else given
        known: dict[str, Metric] = dict.fromkeys({item.metric for item in asked.all}, one)
    else:
        known = {}
        for item in asked.all:
            name = item.metric or asked.metric
            if not name:
                raise InputError(f"{asked.name} names no metric; say which with --metric")
            known[item.metric] = known.get(item.metric) or named(name)

    async def scores(item: Item, answer: Answer | None, text: str) -> float:
        return (await known[item.metric].score(item, answer, text)).value

    distinct = {id(one): one for one in known.values()}
    return scores, tuple(distinct.values())
