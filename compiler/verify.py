"""What holds of every graph, checked before the first pass and after each."""

from __future__ import annotations

from .errors import Fault
from .flow import infer
from .graph import INPUT, Graph
from .op import Amount, Flow, of_question

__all__ = ["ANY_QUESTION", "verify"]

ANY_QUESTION = Amount(1, 512)
"""The length of a question, in tokens, that is assumed when none is given."""


def verify(graph: Graph, *, partial: bool = False) -> list[Fault]:
    """Every fault of the graph: inputs that are not there, cycles, an operator fed what it cannot
    read, an output that holds another number of candidates than it promises.

    In a `partial` graph, steps with faults of their own are missing, and what reads them is left
    alone.
    """
    faults = [] if partial else _wiring(graph)
    if faults:
        return faults
    if any(INPUT in node.inputs for node in graph.nodes.values()):
        return []  # what it is fed is known where it is used as a step
    flows, found = infer(graph, ANY_QUESTION)
    return found + _output(graph, flows)


def _wiring(graph: Graph) -> list[Fault]:
    """Inputs that are not there, or stand after their reader."""
    faults = []
    before = {INPUT}
    for node in graph.nodes.values():
        for name in node.inputs:
            if name not in graph.nodes and name != INPUT:
                message = f"unknown step {name!r}"
                faults.append(Fault("unknown-step", message, node.place.of("from")))
            elif name not in before:
                message = f"step {node.name!r} reads {name!r}, which stands after it"
                faults.append(Fault("forward", message, node.place.of("from")))
        for name in node.waits_for:
            if name not in graph.nodes or name not in before:
                message = f"step {node.name!r} waits for {name!r}, which does not stand before it"
                faults.append(Fault("forward", message, node.place.step))
        if of_question(node.op) and node.inputs:
            message = f"{node.kind} reads the question alone"
            faults.append(Fault("flow", message, node.place.of("from")))
        before.add(node.name)
    return faults


def _output(graph: Graph, flows: dict[str, Flow]) -> list[Fault]:
    if graph.output not in flows:
        return []
    count = flows[graph.output].count
    if count.high > graph.keep:
        message = f"the output can hold {count.high} candidates, not {graph.keep}"
        told = (
            "end with a step that decides (vote, select, rank, fuse), or write "
            f"output: {{from: {graph.output}, keep: {count.high}}}"
        )
        return [Fault("output", message, graph.place.step, told)]
    if graph.keep > count.high:
        message = f"keep: {graph.keep}, but the output never holds more than {count.high}"
        return [Fault("output", message, graph.place.of("keep"))]
    return []
