"""Fresh problems for the model that ships with polyarch."""

from __future__ import annotations

from ...backends.embedded.problems import problems
from ...compiler.errors import InputError
from .dataset import Dataset, dataset
from .item import Item

__all__ = ["EMBEDDED", "embedded"]

EMBEDDED = "embedded:"
"""Before a number of problems, and perhaps a colon and a seed."""


def embedded(told: str) -> Dataset:
    """So many problems that the model was not trained on, such as `400` or, with a seed, `400:7`.

    Raises `InputError`.
    """
    count, _, seed = told.partition(":")
    if not count.isdigit() or (seed and not seed.isdigit()) or int(count) < 1:
        raise InputError(f"{EMBEDDED}{told}: a number of problems is meant, such as embedded:400")
    made = problems("demo", int(count), int(seed or 0))
    items = [
        Item(f"abacus-{seed or 0}-{place}", problem.question, str(problem.answer), "numeric")
        for place, problem in enumerate(made)
    ]
    return dataset("embedded", items, "numeric")
