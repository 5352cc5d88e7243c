"""A pipeline as the page shows it."""

from __future__ import annotations

from collections.abc import Mapping

from ...compiler.emit.arranged import HIGH, QUESTION, RESULT, WIDE, arranged
from ...compiler.emit.svg import boxes, captions
from ...compiler.emit.table import dollars
from ...compiler.graph import Node
from ...compiler.op import Each, Source
from ...compiler.plan import Plan
from ...compiler.values import Json

__all__ = ["shown"]


def shown(plan: Plan, refused: str = "") -> Mapping[str, Json]:
    """What is said of a pipeline, the fields that it asks for, and its graph, arranged. `refused`
    is why its file as it is now is not served."""
    graph = plan.graph
    return {
        "name": graph.name,
        "about": graph.about,
        "facts": " · ".join(_facts(plan)),
        "refused": refused,
        "keep": graph.keep,
        "plan": str(graph),
        "fields": list(graph.question.fields) if graph.question.kind == "record" else [],
        "graph": _graph(plan),
    }


def _facts(plan: Plan) -> list[str]:
    cost = plan.total
    return [
        *([plan.graph.source] if plan.graph.source else []),
        f"{cost.calls} call{'s' * (cost.calls.high != 1)}",
        f"{cost.completion} completion tokens a question",
        *([f"{dollars(cost.usd)} dollars"] if cost.usd.high else []),
    ]


def _graph(plan: Plan) -> Mapping[str, Json]:
    told = boxes(plan)
    where = arranged(told, plan.graph.output)
    caption = captions(plan)
    nodes = plan.graph.nodes
    return {
        "width": where.width,
        "height": where.height,
        "wide": WIDE,
        "high": HIGH,
        "output": plan.graph.output,
        "boxes": [
            {
                **_box(nodes[box.name]),
                "x": where.spots[box.name].x,
                "y": where.spots[box.name].y,
                "caption": caption[box.name],
                "most": plan.flows[box.name].count.high,
            }
            for box in told
        ],
        "ends": [
            {"x": where.spots[name].x, "y": where.spots[name].y, "text": text}
            for name, text in ((QUESTION, "question"), (RESULT, "result"))
        ],
        "lines": [
            {
                "path": line.path,
                "tip": None if line.tip is None else list(line.tip),
                "waits": line.waits,
            }
            for line in where.lines
        ],
    }


def _box(node: Node) -> Mapping[str, Json]:
    return {
        "name": node.name,
        "kind": node.kind,
        "about": (type(node.op).__doc__ or "").partition("\n")[0],
        "shape": _shape(node),
        "writes": isinstance(node.op, Source) or node.op.verbatim,
    }


def _shape(node: Node) -> str:
    """Whether the step draws, takes one candidate at a time, or reads all and decides."""
    match node.op:
        case Source():
            return "source"
        case Each():
            return "each"
    return "all"
