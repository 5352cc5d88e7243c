"""How far the steps of a graph may run ahead of who reads them."""

from __future__ import annotations

from .graph import Graph
from .op import Each

__all__ = ["ahead"]

_EVERYTHING = 1 << 30


def ahead(graph: Graph) -> dict[str, int]:
    """How many candidates of each node its least eager reader wants ahead. Steps on single
    candidates pass on what their own readers want; the output is read whole."""
    wanted: dict[str, int] = {}
    for name in reversed(graph.order):
        limits = [_EVERYTHING]
        if name != graph.output:
            for reader in graph.readers(name):
                if isinstance(reader.op, Each):
                    limits.append(wanted[reader.name])
                elif reader.window is not None:
                    limits.append(reader.window)
        wanted[name] = min(limits)
    return wanted
