"""The plan for machines: one JSON object with sorted keys, equal for equal plans."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ... import __version__
from ..graph import Graph, Node
from ..lacks import lacks
from ..op import Amount, Flow
from ..plan import Plan
from ..price import Cost
from ..sharing import Share
from ..values import Json
from .lints import lints
from .literals import answer
from .placed import as_json, bounds

__all__ = ["emit"]


def emit(plan: Plan) -> str:
    """The plan as JSON."""
    graph = plan.graph
    told: Mapping[str, Json] = {
        "polyarch": __version__,
        "digest": plan.digest,
        **_header(graph),
        "question_tokens": _bounds(plan.question),
        "steps": [_step(plan, graph.nodes[name]) for name in graph.order],
        "output": {"from": graph.output, "keep": graph.keep},
        "total": _cost(plan.total),
        "estimated_prompt_tokens": _share(sum(plan.sharing.values(), Share())),
        "notes": lints(plan),
        "without": [
            {
                "step": lack.step,
                "model": lack.model,
                "capability": lack.capability.value,
                "instead": lack.instead,
            }
            for lack in lacks(graph)
        ],
        **({"placement": as_json(plan.placement)} if plan.placement else {}),
    }
    return json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _header(graph: Graph) -> Mapping[str, Json]:
    return {
        "name": graph.name,
        "about": graph.about,
        "source": graph.source,
        "question": graph.question.model_dump(mode="json"),
        "answer": answer(graph.answer),
        "models": {name: spec.model_dump(mode="json") for name, spec in graph.models.items()},
        "tools": {name: _tool(graph, name) for name in graph.tools},
        "budgets": {
            scope: budget.model_dump(mode="json", exclude_none=True)
            for scope, budget in graph.budgets.items()
        },
    }


def _tool(graph: Graph, name: str) -> Mapping[str, Json]:
    spec = graph.tools[name]
    needed = name in graph.called and not spec.free
    return {**spec.model_dump(mode="json", exclude_none=True), "needs_grant": needed}


def _step(plan: Plan, node: Node) -> Mapping[str, Json]:
    return {
        "name": node.name,
        "op": node.kind,
        "arguments": node.op.model_dump(mode="json"),
        "models": list(dict.fromkeys(asking.model for asking in node.op.askings())),
        "prompts": plan.prompts.get(node.name, ()),
        "from": node.inputs,
        "scope": node.scope,
        "gate": node.gate,
        "topic": node.topic,
        "answer": answer(node.answer),
        "chunk": node.chunk,
        "window": node.window,
        "gives": _flow(plan.flows[node.name]),
        "cost": _cost(plan.costs[node.name]),
        "estimated_prompt_tokens": _share(plan.sharing.get(node.name, Share())),
    }


def _flow(flow: Flow) -> Mapping[str, Json]:
    return {
        "candidates": _bounds(flow.count),
        "tokens": _bounds(flow.tokens),
        "scores": sorted(flow.scores),
        "notes": sorted(flow.notes),
    }


def _cost(cost: Cost) -> Mapping[str, Json]:
    return {
        "calls": _bounds(cost.calls),
        "prompt_tokens": _bounds(cost.prompt),
        "completion_tokens": _bounds(cost.completion),
        "usd": {"low": cost.usd.low, "high": cost.usd.high},
        "depth": _bounds(cost.depth),
        "tool_calls": _bounds(cost.tools),
        **({"seconds": bounds(cost.seconds)} if cost.seconds else {}),
    }


def _share(share: Share) -> Mapping[str, Json]:
    return {"sent": share.sent, "computed": share.computed}


def _bounds(amount: Amount) -> Mapping[str, Json]:
    return {"low": amount.low, "high": amount.high}
