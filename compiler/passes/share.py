"""Compute equal pure steps once.

Preserves exactly the requests: only steps that ask nobody are merged. Two sampling steps with equal
prompts are independent draws and stay two (I01).
"""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph, Node

__all__ = ["share"]


def share(graph: Graph) -> Graph:
    """Merge pure steps of the same operator, arguments and inputs into the first of them."""
    first: dict[object, str] = {}
    instead: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes.values():
        # A reader of both keeps reading twice: candidates keep their multiplicity (I20).
        node = replace(
            node,
            inputs=tuple(instead.get(name, name) for name in node.inputs),
            gate=instead.get(node.gate, node.gate),
            topic=instead.get(node.topic, node.topic),
        )
        if node.op.effect == "pure":
            where = (node.scope, node.gate, node.topic)
            key = (node.kind, repr(node.op), node.inputs, node.answer, where)
            if key in first:
                instead[node.name] = first[key]
                continue
            first[key] = node.name
        nodes.append(node)
    return graph.with_nodes(nodes, instead.get(graph.output, graph.output))
