"""Whether two pipelines ask the same, whatever their steps and models are called."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from .graph import Graph, Node
from .passes import apply

__all__ = ["likeness"]


def likeness(graph: Graph) -> str:
    """A digest of what a built pipeline asks and decides; names, budgets and texts about it are not
    in it. Equal for pipelines that do the same.

    Raises `SpecError` if a pass finds a fault.
    """
    for name, made in apply(graph, until="share"):
        graph = made if name else graph
    models = {name: _model(spec.model, spec.options) for name, spec in graph.models.items()}
    told: dict[str, str] = {}
    for name in graph.order:
        told[name] = _digest(_node(graph.nodes[name], models, told))
    return _digest([told[graph.output], graph.keep, graph.question.model_dump(mode="json")])


def _node(node: Node, models: Mapping[str, str], told: Mapping[str, str]) -> list[Any]:
    asked = {asking.model for asking in node.op.askings() if asking.model is not None}
    known = {name: models[name] for name in asked if name in models}
    inputs = [told.get(name, name) for name in node.inputs]
    arguments = _named(node.op.model_dump(mode="json"), known)
    wordings = [asking.wording for asking in node.op.askings()]
    waits = [told.get(name, name) for name in (node.gate, node.topic)]
    return [node.kind, arguments, wordings, inputs, waits, repr(node.answer), node.at_least]


def _model(model: str, options: Mapping[str, Any]) -> str:
    return f"{model} {json.dumps(dict(options), sort_keys=True, default=str)}"


def _named(value: Any, known: Mapping[str, str]) -> Any:
    """A value with models in the place of their names."""
    if isinstance(value, dict):
        return {key: _named(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [_named(inner, known) for inner in value]
    return known.get(value, value) if isinstance(value, str) else value


def _digest(content: Any) -> str:
    return sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
