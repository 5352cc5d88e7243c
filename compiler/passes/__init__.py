"""The passes, in running order. Each is a pure function from a graph to a graph, in its own file,
and says what it preserves: the distribution of answers, or exactly the requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from ..errors import SpecError
from ..graph import Graph
from ..verify import verify
from .coalesce import coalesce
from .inline import inline
from .prefix import prefix
from .prune import prune
from .settle import settle
from .share import share
from .window import window

__all__ = ["PASSES", "Pass", "apply"]

Pass: TypeAlias = Callable[[Graph], Graph]

PASSES: tuple[Pass, ...] = (inline, settle, prune, share, window, coalesce, prefix)


def apply(graph: Graph, until: str | None = None) -> Iterator[tuple[str, Graph]]:
    """The graph after each pass, by the pass's name; verified before the first and after each.

    `until` names the last pass to run. Raises `SpecError` if a graph does not hold.
    """
    _check(graph)
    for step in PASSES:
        graph = step(graph)
        _check(graph)
        yield step.__name__, graph
        if step.__name__ == until:
            return


def _check(graph: Graph) -> None:
    faults = verify(graph)
    if faults:
        raise SpecError(faults)
