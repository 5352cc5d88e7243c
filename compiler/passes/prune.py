"""Drop the steps whose candidates never reach the output.

Preserves the distribution of answers; the requests of dropped steps are not made.
"""

from __future__ import annotations

import networkx as nx

from ..graph import Graph

__all__ = ["prune"]


def prune(graph: Graph) -> Graph:
    """Keep the output and what it is made from; note what was dropped."""
    kept = nx.ancestors(graph.dag, graph.output) | {graph.output}
    if len(kept) == len(graph.nodes):
        return graph
    dropped = [name for name in graph.nodes if name not in kept]
    return graph.with_nodes(node for node in graph.nodes.values() if node.name in kept).noting(
        *(f"step {name!r} never reaches the output and is dropped" for name in dropped)
    )
