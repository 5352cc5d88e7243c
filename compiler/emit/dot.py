"""The plan as a Graphviz graph."""

from __future__ import annotations

from collections.abc import Iterator

from ..graph import QUESTION, Node
from ..plan import Plan

__all__ = ["emit"]


def emit(plan: Plan) -> str:
    """The graph as DOT: operators and models in the boxes, candidates on the edges."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    graph = plan.graph
    ids = {name: f"n{number}" for number, name in enumerate(graph.order)}
    yield f"digraph {_text(graph.name)} {{"
    yield "  rankdir=LR;"
    yield "  node [shape=box];"
    yield f"  question [label={_text(QUESTION)}, shape=oval];"
    for name in graph.order:
        yield f"  {ids[name]} [label={_label(graph.nodes[name])}];"
    yield f"  result [label={_text(graph.name)}, shape=oval];"
    for name in graph.order:
        if not graph.nodes[name].inputs and not graph.nodes[name].topic:
            yield f"  question -> {ids[name]};"
        for read in graph.nodes[name].inputs:
            yield f'  {ids[read]} -> {ids[name]} [label="{plan.flows[read].count}"];'
        for gate in graph.nodes[name].waits_for:
            yield f"  {ids[gate]} -> {ids[name]} [style=dashed];"
    yield f'  {ids[graph.output]} -> result [label="{plan.flows[graph.output].count}"];'
    yield "}"


def _label(node: Node) -> str:
    models = dict.fromkeys(asking.model or "" for asking in node.op.askings())
    return _text("\n".join((node.name, node.kind, *models)))


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
