"""A plan with less in it: without a step, or with half of a step's draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ...compiler.flow import infer
from ...compiler.graph import Graph, Node
from ...compiler.op import Source
from ...compiler.passes.prune import prune
from ...compiler.plan import Plan
from ...compiler.price import price
from ...compiler.registry import operator
from ...compiler.verify import verify

__all__ = ["halved", "reductions", "without"]


def reductions(plan: Plan) -> Iterator[tuple[str, str, Plan | str]]:
    """What can be taken away: the step, the change in words, and the plan; or why there is none."""
    for name, node in plan.graph.nodes.items():
        draws = getattr(node.op, "n", None)
        if isinstance(draws, int) and draws > 1:
            yield name, f"{name}: n {draws} → {draws // 2}", _tried(halved, plan, name)
        if len(plan.graph.nodes) > 1:
            yield name, f"without {name}", _tried(without, plan, name)


def without(plan: Plan, gone: str) -> Plan:
    """The plan without a step: who read it reads what it read.

    A vote that it weighed counts heads, and a choice by its score keeps the first. What a last step
    leaves undecided is decided by the first candidate. Raises ValueError, in words, for a step that
    the others cannot do without.
    """
    graph = plan.graph
    node = graph.nodes[gone]
    others = [_rewired(other, node) for name, other in graph.nodes.items() if name != gone]
    output = graph.output
    if gone == output:
        if len(node.inputs) != 1:
            raise ValueError("it decides among several steps")
        output = node.inputs[0]
    for other in others:
        if gone in other.waits_for:
            raise ValueError(f"{other.name} runs only if it lets it")
    return _planned(plan, graph.with_nodes(others, output))


def halved(plan: Plan, step: str) -> Plan:
    """The plan with half the draws of a step. Raises ValueError where it cannot run so."""
    node = plan.graph.nodes[step]
    fewer = node.op.model_copy(update={"n": getattr(node.op, "n", 1) // 2})
    nodes = {**plan.graph.nodes, step: replace(node, op=fewer)}
    return _planned(plan, plan.graph.with_nodes(nodes.values()))


def _tried(change: Callable[[Plan, str], Plan], plan: Plan, name: str) -> Plan | str:
    try:
        return change(plan, name)
    except ValueError as error:
        return str(error)


def _rewired(node: Node, gone: Node) -> Node:
    if gone.name not in node.inputs:
        return node
    read = [one for name in node.inputs for one in (gone.inputs if name == gone.name else (name,))]
    if not read and not isinstance(node.op, Source):
        raise ValueError(f"{node.name} reads nothing else")
    return replace(node, inputs=tuple(dict.fromkeys(read)))


def _planned(plan: Plan, graph: Graph) -> Plan:
    """The plan of a changed graph. Raises ValueError with what is wrong with it."""
    graph = prune(graph)
    graph = _decided(_unscored(graph, plan), plan)
    if faults := verify(graph):
        raise ValueError(faults[0].message)
    flows, _ = infer(graph, plan.question)
    costs, total = price(graph, plan.question)
    return replace(plan, graph=graph, flows=flows, costs=costs, total=total, placement=None)


def _unscored(graph: Graph, plan: Plan) -> Graph:
    """Votes and choices by a score that no longer comes do without it."""
    for name in graph.order:
        flows, _ = infer(graph, plan.question)
        node = graph.nodes[name]
        known = [flows[read].scores for read in node.inputs if read in flows]
        there = frozenset.intersection(*known) if known else frozenset[str]()
        nodes = {**graph.nodes, name: _without_score(node, there)}
        graph = graph.with_nodes(nodes.values())
    return graph


def _without_score(node: Node, there: frozenset[str]) -> Node:
    weight, by = getattr(node.op, "weight", None), getattr(node.op, "by", None)
    fields = set(type(node.op).model_fields)
    if node.kind == "vote" and isinstance(weight, str) and weight not in there:
        return _but(node, {"weight", "scale", "power"} & fields)
    if node.kind == "select" and isinstance(by, str) and by not in ("first", *there):
        plain = _but(node, {"at_least", "support"} & fields)
        return replace(plain, op=plain.op.model_copy(update={"by": "first"}))
    return node


def _but(node: Node, gone: set[str]) -> Node:
    """The node with these arguments as they are unless written."""
    kept = {name: getattr(node.op, name) for name in node.op.model_fields_set - gone}
    return replace(node, op=type(node.op)(**kept))


def _decided(graph: Graph, plan: Plan) -> Graph:
    """The graph with the first candidates as its result, where it would have too many."""
    flows, _ = infer(graph, plan.question)
    last = graph.nodes[graph.output]
    if graph.output not in flows or flows[graph.output].count.high <= graph.keep:
        return graph
    name = "first"
    while name in graph.nodes:
        name += "'"
    first = operator("select").model_validate({"by": "first", "keep": graph.keep})
    chosen = Node(name, "select", first, (last.name,), last.answer, last.place, window=graph.keep)
    return graph.with_nodes([*graph.nodes.values(), chosen], name)
