"""Ask for several draws of one prompt in one request, so that its prefill is computed once.

Preserves the distribution of answers: the draws stay independent, each with its own seed. A request
never holds more draws than a reader that may stop early wants ahead.
"""

from __future__ import annotations

from dataclasses import replace

from ..ahead import ahead
from ..graph import Graph, Node
from ..model import Capability
from ..op import Source
from ..registry import model_info

__all__ = ["coalesce"]


def coalesce(graph: Graph) -> Graph:
    """Give each source its chunk: as many draws a request as its models take and its readers
    want."""
    wanted = ahead(graph)
    return graph.with_nodes(
        replace(node, chunk=_chunk(graph, node, node.op, wanted[node.name]))
        if isinstance(node.op, Source)
        else node
        for node in graph.nodes.values()
    )


def _chunk(graph: Graph, node: Node, op: Source, wanted: int) -> int:
    longest = max(len(group) for group in op.groups())
    taken = min(_draws(graph, asking.model or "") for asking in op.askings())
    return max(1, min(longest, taken, wanted))


def _draws(graph: Graph, model: str) -> int:
    """How many draws one request to a model may ask for."""
    spec = graph.models[model]
    info = model_info(spec)
    if Capability.DRAWS not in info.capabilities:
        return 1
    return min(spec.max_draws or info.max_draws, info.max_draws)
