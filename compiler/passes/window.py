"""Decide how far producers may run ahead of a reader.

Preserves the distribution of answers and what is read; a reader that may stop early has fewer
requests made ahead of it.
"""

from __future__ import annotations

from dataclasses import replace

from ..flow import infer, read_by
from ..graph import Graph
from ..op import All
from ..verify import ANY_QUESTION

__all__ = ["window"]


def window(graph: Graph) -> Graph:
    """Give each deciding step its window: what it asks for, or everything it can read."""
    flows, _ = infer(graph, ANY_QUESTION)
    nodes = []
    for node in graph.nodes.values():
        if isinstance(node.op, All):
            given = read_by(node.op, [flows[name] for name in node.inputs])
            wanted = node.op.window(given)
            most = sum(flows[name].count.high for name in node.inputs)
            everything = wanted is None or wanted >= most
            node = replace(node, window=None if everything else wanted)
        nodes.append(node)
    return graph.with_nodes(nodes)
