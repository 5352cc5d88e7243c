"""What a search is asked to do, every part of it settled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..compiler.errors import InputError
from ..compiler.names import nearest
from ..compiler.plan import plan
from ..compiler.space import Space
from .aim import UNITS, Aim, Unit
from .record import Limits

__all__ = ["Wanted", "aims_of", "caps_of", "dearest"]


@dataclass(frozen=True)
class Wanted:
    """How to search. `most` is how many questions a trial is asked while searching, `confirm` how
    many the best are, `test` how many of the locked ones, None for all there are.

    `guard` holds half of the questions back, to tell how far the others were fitted. `warm` are
    points that are tried first, `told_by` says by their keys where they come from.

    `caps` is what a question may cost on average; with `no_dearer` also no more calls and no more
    tokens than the space's first point costs on the same questions. `study` is a name within
    `out`, or the URL of a database.
    """

    out: Path
    limits: Limits = field(default_factory=Limits)
    aims: tuple[Aim, ...] = field(default_factory=lambda: (Aim(),))
    strategy: str = "frugal"
    arguments: Mapping[str, Any] | None = None
    trials: int | None = None
    workers: int = 1
    study: str = ""
    seed: int = 0
    most: int | None = None
    confirm: int | None = None
    test: int | None = None
    caps: tuple[tuple[Unit, float], ...] = ()
    no_dearer: bool = False
    alpha: float = 0.1
    pruner: str = "flip"
    guard: bool = False
    warm: tuple[Mapping[str, int | float], ...] = ()
    told_by: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    allow_unsandboxed: bool = False
    concurrency: int = 64


def aims_of(space: Space, minus: Mapping[str, float], least: tuple[str, ...]) -> tuple[Aim, ...]:
    """The objectives: those told, else those of the space's file, else the score alone.

    Raises `InputError` for a unit that is none.
    """
    for unit in (*minus, *least):
        if unit not in UNITS:
            raise InputError(f"no unit {unit!r}; {nearest(unit, UNITS)}")
    if minus or least:
        scored = Aim(tuple(minus.items()))  # type: ignore[arg-type]
        return (scored, *(Aim(least=unit) for unit in least))  # type: ignore[arg-type]
    told = space.search.objective if space.search is not None else None
    if not told:
        return (Aim(),)
    made = [
        Aim(least=one.minimize) if one.minimize else Aim(tuple(one.minus.items())) for one in told
    ]
    return tuple(sorted(made, key=lambda aim: aim.least is not None))


def dearest(space: Space) -> tuple[tuple[Unit, float], ...]:
    """What a question costs at most under the space's first point. Raises `SpecError`."""
    total = plan(space.close(space.first).graph).total
    return (("calls", total.calls.high), ("tokens", total.tokens.high))


def caps_of(told: Mapping[str, float]) -> tuple[tuple[Unit, float], ...]:
    """What a question may cost. Raises `InputError` for a unit that is none."""
    for unit in told:
        if unit not in UNITS:
            raise InputError(f"no unit {unit!r}; {nearest(unit, UNITS)}")
    return tuple(told.items())  # type: ignore[arg-type]
