"""Put the steps of pipelines used as steps, and those of regions, in their place.

Preserves exactly the requests: names change (`step.inner`), and with them the seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias, TypeVar

from ..graph import INPUT, Graph, Node
from ..holder import Holder
from ..nested import Nested
from ..op import Op
from ..regions import Region
from ..spec import Budget, ModelSpec
from ..toolspec import ToolSpec

__all__ = ["inline"]

NamedT = TypeVar("NamedT", ModelSpec, ToolSpec)


def inline(graph: Graph) -> Graph:
    """Inline every pipeline used as a step and lay out every region, innermost first.

    An inner step is named `step.inner`; what read the step reads the inner output; an inner step
    that reads `input` reads what the step was fed. Equal models are one model, equal tools one.
    """
    if not any(isinstance(node.op, Holder) for node in graph.nodes.values()):
        return graph
    models = dict(graph.models)
    tools = dict(graph.tools)
    budgets = dict(graph.budgets)
    outputs: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes.values():
        fed = tuple(outputs.get(name, name) for name in node.inputs)
        if isinstance(node.op, Nested):
            inner = inline(node.op.inner)
            names = _merged(inner, node.name, models, tools)
            nodes += _placed(inner, node, fed, names)
            budgets |= _scoped(inner.budgets, _scope(node, inner))
            outputs[node.name] = f"{node.name}.{inner.output}"
        elif isinstance(node.op, Region):
            nodes += _laid_out(node.op, replace(node, inputs=fed), models, tools, budgets)
        else:
            nodes.append(replace(node, inputs=fed))
    output = outputs.get(graph.output, graph.output)
    return replace(graph.with_nodes(nodes, output), models=models, tools=tools, budgets=budgets)


def _laid_out(
    region: Region,
    node: Node,
    models: dict[str, ModelSpec],
    tools: dict[str, ToolSpec],
    budgets: dict[str, Budget],
) -> Iterator[Node]:
    """The steps that a region stands for; `models`, `tools` and `budgets` gain those of pipelines
    in it."""
    bodies = {}
    for name, body in region.bodies.items():
        flat = inline(body)
        names = _merged(flat, f"{node.name}.{name}", models, tools)
        steps = [replace(step, op=_renamed(step.op, names)) for step in flat.nodes.values()]
        bodies[name] = flat.with_nodes(steps)
    for name, prefix in region.places(node.name):
        around = f"{node.scope}.{prefix}" if node.scope else prefix
        budgets |= _scoped(bodies[name].budgets, around)
    return region.unrolled(node, bodies)


def _placed(inner: Graph, node: Node, fed: tuple[str, ...], names: _Names) -> Iterator[Node]:
    scope = _scope(node, inner)
    for step in inner.nodes.values():
        inputs: list[str] = []
        for name in step.inputs:
            inputs += fed if name == INPUT else (f"{node.name}.{name}",)
        yield replace(
            step,
            name=f"{node.name}.{step.name}",
            op=_renamed(step.op, names),
            inputs=tuple(inputs),
            scope=f"{scope}.{step.scope}" if step.scope else scope,
        )


_Names: TypeAlias = "tuple[Mapping[str, str], Mapping[str, str]]"
"""The names that models and tools of an inner pipeline have in the outer one."""


def _merged(
    inner: Graph, step: str, models: dict[str, ModelSpec], tools: dict[str, ToolSpec]
) -> _Names:
    return _merge(models, inner.models, step), _merge(tools, inner.tools, step)


def _renamed(op: Op, names: _Names) -> Op:
    """The operator with its models and tools under their names in the outer pipeline."""
    models, tools = names
    if called := op.tool_names():
        op = op.with_tools([tools.get(name, name) for name in called])
    return _asking_for(op, models)


def _asking_for(op: Op, renamed: Mapping[str, str]) -> Op:
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


def _merge(outer: dict[str, NamedT], inner: Mapping[str, NamedT], step: str) -> dict[str, str]:
    """Add the inner models or tools to the outer ones; returns their names there."""
    renamed = {}
    for name, one in inner.items():
        if outer.get(name) == one:
            renamed[name] = name
            continue
        same = next((known for known, spec in outer.items() if spec == one), None)
        renamed[name] = same or f"{step}.{name}"
        outer[renamed[name]] = one
    return renamed


def _scope(node: Node, inner: Graph) -> str:
    """The scope of the pipeline itself: the step's name, within the account that the step has."""
    if not node.scope:
        return node.name
    return f"{node.scope}.{inner.name if node.scope == node.name else node.name}"


def _scoped(budgets: Mapping[str, Budget], around: str) -> dict[str, Budget]:
    return {f"{around}.{scope}" if scope else around: limits for scope, limits in budgets.items()}
