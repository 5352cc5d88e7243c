"""Put the steps of pipelines used as steps in their place.

Preserves exactly the requests: names change (`step.inner`), and with them the seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..graph import INPUT, Graph, Node
from ..nested import Nested
from ..op import Op
from ..spec import Budget, ModelSpec

__all__ = ["inline"]


def inline(graph: Graph) -> Graph:
    """Inline every pipeline used as a step, innermost first.

    An inner step is named `step.inner`; what read the step reads the inner output; an inner step
    that reads `input` reads what the step was fed. Equal models are one model.
    """
    if not any(isinstance(node.op, Nested) for node in graph.nodes.values()):
        return graph
    models = dict(graph.models)
    budgets = dict(graph.budgets)
    outputs: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes.values():
        fed = tuple(outputs.get(name, name) for name in node.inputs)
        if isinstance(node.op, Nested):
            inner = inline(node.op.inner)
            renamed = _merge(models, inner.models, node.name)
            nodes += _placed(inner, node, fed, renamed)
            budgets |= _scoped(inner.budgets, _scope(node, inner))
            outputs[node.name] = f"{node.name}.{inner.output}"
        else:
            nodes.append(replace(node, inputs=fed))
    output = outputs.get(graph.output, graph.output)
    return replace(graph.with_nodes(nodes, output), models=models, budgets=budgets)


def _placed(
    inner: Graph, node: Node, fed: tuple[str, ...], renamed: Mapping[str, str]
) -> Iterator[Node]:
    scope = _scope(node, inner)
    for step in inner.nodes.values():
        inputs: list[str] = []
        for name in step.inputs:
            inputs += fed if name == INPUT else (f"{node.name}.{name}",)
        yield replace(
            step,
            name=f"{node.name}.{step.name}",
            op=_asking_for(step.op, renamed),
            inputs=tuple(inputs),
            scope=f"{scope}.{step.scope}" if step.scope else scope,
        )


def _asking_for(op: Op, renamed: Mapping[str, str]) -> Op:
    """The operator with its models under their names in the outer pipeline."""
    askings = op.askings()
    if not askings:
        return op
    sole = next(iter(renamed.values())) if len(renamed) == 1 else None
    return op.with_askings(
        tuple(
            a.model_copy(update={"model": sole if a.model is None else renamed[a.model]})
            for a in askings
        )
    )


def _merge(
    models: dict[str, ModelSpec], inner: Mapping[str, ModelSpec], step: str
) -> dict[str, str]:
    """Add the inner models to the outer ones; returns their names there."""
    renamed = {}
    for name, model in inner.items():
        same = next((known for known, spec in models.items() if spec == model), None)
        renamed[name] = same or f"{step}.{name}"
        models[renamed[name]] = model
    return renamed


def _scope(node: Node, inner: Graph) -> str:
    """The scope of the pipeline itself: the step's name, within the account that the step has."""
    if not node.scope:
        return node.name
    return f"{node.scope}.{inner.name if node.scope == node.name else node.name}"


def _scoped(budgets: Mapping[str, Budget], around: str) -> dict[str, Budget]:
    return {f"{around}.{scope}" if scope else around: limits for scope, limits in budgets.items()}
