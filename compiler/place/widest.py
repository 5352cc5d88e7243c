"""How many questions and draws may be under way at once on a site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from .assumed import AT_ONCE
from .placement import Placement
from .site import Site

__all__ = ["settled"]

_Way: TypeAlias = Callable[[Site, int], Placement | None]


def settled(site: Site, at_once: int | None) -> Placement | None:
    """The placement with so many questions at once; None if there is none.

    Without a number, with as many questions and draws under way as fit: preferably all engines
    together and at least all draws of one question, then in turns, then with fewer draws. Models
    that name a number of their own are never given fewer.
    """
    if at_once is not None:
        return site.all(at_once) or site.in_turns(at_once)
    whole = [engine.at_once(1) for engine in site.engines]
    for least in (whole, [1] * len(whole)):
        for way in (Site.all, Site.in_turns):
            if (found := _widest(site, way, least)) is not None:
                return replace(found, notes=tuple(_waiting(found, whole)))
    return None


def _widest(site: Site, way: _Way, least: Sequence[int]) -> Placement | None:
    """The placement with the most questions, then the most draws of all models, then of each; at
    least so many of each."""

    def placed(questions: int, caps: Sequence[int]) -> Placement | None:
        kept = [max(cap, one) for cap, one in zip(caps, least, strict=True)]
        return way(site.capped(kept), questions)

    found = _most(lambda questions: placed(questions, least), 1, min(site.batch or 1, AT_ONCE))
    if found is None:
        return None
    best, questions = found
    wanted = [engine.at_once(questions) for engine in site.engines]
    best, draws = _most(lambda d: placed(questions, [d] * len(wanted)), 1, max(wanted)) or found
    caps = [draws] * len(wanted)
    for place, most in enumerate(wanted):
        best, caps[place] = _most(_raising(placed, questions, caps, place), draws, most) or (
            best,
            draws,
        )
    return best


def _raising(
    placed: Callable[[int, Sequence[int]], Placement | None],
    questions: int,
    caps: Sequence[int],
    place: int,
) -> Callable[[int], Placement | None]:
    """The placement where one model may have other many draws under way."""
    return lambda draws: placed(questions, [*caps[:place], draws, *caps[place + 1 :]])


def _most(
    fits: Callable[[int], Placement | None], low: int, high: int
) -> tuple[Placement, int] | None:
    """What fits with the largest number, and the number; fewer never fit worse."""
    first = fits(low)
    if first is None:
        return None
    best = first, low
    while low < high:
        middle = (low + high + 1) // 2
        found = fits(middle)
        if found is None:
            high = middle - 1
        else:
            best, low = (found, middle), middle
    return best


def _waiting(found: Placement, whole: Sequence[int]) -> Iterator[str]:
    for home, one in zip(found.placed, whole, strict=True):
        if home.draws < one:
            yield (
                f"{home.engine.name}: {home.draws:,} draws at once fit, of {one:,} that one "
                "question would have under way; the others wait"
            )
