"""Which part of the data an item is in, and samples drawn from it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from random import Random

from ...compiler.errors import InputError
from ...compiler.names import nearest
from .item import Item

__all__ = ["DEV", "TEST", "part_of", "sampled", "split_of"]

DEV = "dev"
"""The part that may be looked at while choosing."""

TEST = "test"
"""The part that is opened once, when all is chosen."""

_ALSO = {"search": DEV, "train": DEV, "validation": DEV}


def split_of(name: str) -> str:
    """`dev` or `test`, whatever it was called. Raises `InputError`."""
    if name in (DEV, TEST):
        return name
    if name in _ALSO:
        return _ALSO[name]
    raise InputError(f"no split {name!r}; {nearest(name, (DEV, TEST, *_ALSO))}")


def part_of(id: str) -> str:
    """The part of an item: `dev` if the first eight hex digits of the SHA-256 of its id are even.

    It depends on the id alone, so an item never moves, and data sets that share ids agree.

    >>> part_of("gsm8k-test-0000"), part_of("gsm8k-test-0001")
    ('test', 'dev')
    """
    return TEST if int(sha256(id.encode()).hexdigest()[:8], 16) % 2 else DEV


def sampled(items: Iterable[Item], count: int, seed: int) -> tuple[Item, ...]:
    """So many items drawn without replacement, in the order of the data; all if there are fewer.

    A larger sample with the same seed holds the smaller one.
    """
    kept = tuple(items)
    order = list(range(len(kept)))
    Random(seed).shuffle(order)
    return tuple(kept[place] for place in sorted(order[:count]))
