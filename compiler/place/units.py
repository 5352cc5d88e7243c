"""What of a pipeline can wait for its turn: a step with the engines it asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..op import Source
from ..price import Load

if TYPE_CHECKING:
    from ..graph import Graph

__all__ = ["Unit", "ready", "units"]


@dataclass(frozen=True, slots=True)
class Unit:
    """The part of a step that needs `engines` awake together, once the units `after` have been
    run for all questions."""

    step: str
    engines: frozenset[int]
    after: frozenset[int]


def units(
    graph: Graph, asked: Mapping[str, tuple[Load, ...]], serving: Mapping[str, frozenset[int]]
) -> tuple[Unit, ...]:
    """The units of a graph, in running order. `serving` holds the engines of each model, those of
    its fallbacks included.

    The draws of a source that asks several models are independent, so each of them is a unit.
    """
    made: list[Unit] = []
    reached: dict[str, frozenset[int]] = {}
    for name in graph.order:
        before = frozenset[int]().union(*(reached[b] for b in graph.dag.predecessors(name)))
        needs = dict.fromkeys(serving.get(load.calls.model, frozenset()) for load in asked[name])
        wanted = [engines for engines in needs if engines]
        if wanted and not isinstance(graph.nodes[name].op, Source):
            wanted = [frozenset[int]().union(*wanted)]
        own = range(len(made), len(made) + len(wanted))
        made += [Unit(name, engines, before) for engines in wanted]
        reached[name] = frozenset(own) if wanted else before
    return tuple(made)


def ready(units: tuple[Unit, ...], done: frozenset[int], awake: frozenset[int]) -> frozenset[int]:
    """What is done when everything was run that these engines can run."""
    while True:
        more = {
            place
            for place, unit in enumerate(units)
            if place not in done and unit.engines <= awake and unit.after <= done
        }
        if not more:
            return done
        done |= more
