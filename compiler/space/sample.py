"""Some points of a space compiled, so that what is wrong with a few choices is found early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, TypeAlias

from ..errors import Fault, PlanRefused, SpecError
from ..op import Amount
from ..plan import plan
from ..verify import ANY_QUESTION
from .hole import Choice
from .space import Space

__all__ = ["MOST_POINTS", "Sample", "compiled"]

MOST_POINTS: Final = 64
"""Points that are compiled of a larger space."""

_Kind: TypeAlias = "tuple[str, str, int, int]"


@dataclass(frozen=True, slots=True)
class Sample:
    """What became of some points of a space: how many compiled, whether there are others, and how
    many cannot do with their budget even at best."""

    points: int
    part: bool
    refused: int


def compiled(space: Space, seed: int = 0, question: Amount = ANY_QUESTION) -> Sample:
    """Compile all points of a small space for a question of so many tokens, the first point and
    some random ones of a larger.

    Raises `SpecError` with what is wrong with any of them, each fault once, with what all choices
    that lead to it have in common and none of the others.
    """
    small = space.size is not None and space.size <= MOST_POINTS
    choices = list(space.points()) if small else list(_drawn(space, seed))
    failed: dict[_Kind, tuple[Fault, list[Choice]]] = {}
    good: list[Choice] = []
    refused = 0
    for choice in choices:
        try:
            made = plan(space.close(choice).graph, question)
        except SpecError as error:
            for fault in error.faults:
                kind = (fault.code, fault.message, fault.span.line, fault.span.column)
                failed.setdefault(kind, (fault, []))[1].append(choice)
            continue
        good.append(choice)
        try:
            made.refuse()
        except PlanRefused:
            refused += 1
    if failed:
        raise SpecError(
            [_explained(space, fault, led, good, len(choices)) for fault, led in failed.values()]
        )
    return Sample(len(choices), not small, refused)


def _drawn(space: Space, seed: int) -> Iterator[Choice]:
    rng = Random(seed)
    seen = set()
    for draw in range(MOST_POINTS):
        choice = space.random(rng) if draw or space.size is None else space.first
        if (key := tuple(choice.items())) not in seen:
            seen.add(key)
            yield choice


def _explained(
    space: Space, fault: Fault, led: Sequence[Choice], good: Sequence[Choice], of: int
) -> Fault:
    """The fault with what leads to it, and in how many points."""
    first, *others = (set(choice.items()) for choice in led)
    common = dict(sorted(first.intersection(*others)))
    blamed = {
        name: chosen
        for name, chosen in common.items()
        if not good or not all(choice.get(name) == chosen for choice in good)
    }
    told = _words(space, blamed) or _words(space, led[0])
    hint = fault.hint.split("with ", 1)[0].rstrip("; ")
    share = f"in {len(led)} of {of} points compiled, with {told}"
    return replace(fault, hint="; ".join(filter(None, (hint, share))))


def _words(space: Space, choice: Mapping[str, int | float]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in space.told(choice))
