"""The plan as a Mermaid flowchart, which GitHub and notebooks draw."""

from __future__ import annotations

from collections.abc import Iterator

from ..graph import QUESTION, Node
from ..plan import Plan

__all__ = ["emit"]


def emit(plan: Plan) -> str:
    """The graph as Mermaid: operators and models in the boxes, candidates on the edges."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    graph = plan.graph
    ids = {name: f"n{number}" for number, name in enumerate(graph.order)}
    yield "flowchart LR"
    yield f'  question(["{QUESTION}"])'
    for name in graph.order:
        yield f'  {ids[name]}["{_label(graph.nodes[name])}"]'
    yield f'  result(["{_text(graph.name)}"])'
    for name in graph.order:
        if not graph.nodes[name].inputs and not graph.nodes[name].topic:
            yield f"  question --> {ids[name]}"
        for read in graph.nodes[name].inputs:
            yield f'  {ids[read]} -->|"{plan.flows[read].count}"| {ids[name]}'
        for gate in graph.nodes[name].waits_for:
            yield f"  {ids[gate]} -.-> {ids[name]}"
    yield f'  {ids[graph.output]} -->|"{plan.flows[graph.output].count}"| result'


def _label(node: Node) -> str:
    models = dict.fromkeys(asking.model or "" for asking in node.op.askings())
    lines = [f"<b>{_text(node.name)}</b>", _text(node.kind)]
    lines += [_text(model) for model in models]
    return "<br/>".join(lines)


def _text(text: str) -> str:
    """Text as Mermaid's labels hold it, which know HTML entities with # for &."""
    return "".join(c if c.isalnum() or c in " _-./" else f"#{ord(c)};" for c in text)
