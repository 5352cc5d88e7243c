"""Shape inference: how many candidates every edge holds at least and at most, and which scores.

Nothing runs. What an operator cannot read is a fault at its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from .errors import Fault
from .graph import INPUT, Graph, Node
from .op import Amount, Flow, Mismatch

__all__ = ["infer", "join"]


def infer(
    graph: Graph, question: Amount, given: Flow | None = None
) -> tuple[dict[str, Flow], list[Fault]]:
    """The flow out of every node, and the faults found on the way.

    `question` is the length of the question in tokens; `given` what a pipeline used as a step is
    fed. Nodes behind a faulty one are left out, so that one mistake is reported once.
    """
    nothing = Flow(Amount(0, 0), question=question)
    known: dict[str, Flow] = {}
    faults: list[Fault] = []
    for name in graph.order:
        node = graph.nodes[name]
        if any(i != INPUT and i not in known for i in node.inputs):
            continue
        try:
            known[name] = _failing(node, node.op.flow(_fed(node, known, given or nothing)))
        except Mismatch as mismatch:
            span = node.place.of(mismatch.field)
            faults.append(Fault(mismatch.code, f"{node.kind}: {mismatch}", span))
    return known, faults


def _fed(node: Node, known: Mapping[str, Flow], given: Flow) -> Flow:
    """What a node reads: its inputs, one after the other."""
    flows = [given if name == INPUT else known[name] for name in node.inputs]
    return join(flows) if flows else Flow(Amount(0, 0), question=given.question)


def _failing(node: Node, flow: Flow) -> Flow:
    """The flow of a step of which some candidates may fail."""
    if node.at_least is None or node.at_least >= flow.count.low:
        return flow
    return flow.with_count(node.at_least, flow.count.high)


def join(flows: list[Flow]) -> Flow:
    """Several edges read as one: counts add up, a score is certain only if it is on all."""
    return reduce(_join, flows)


def _join(one: Flow, other: Flow) -> Flow:
    return Flow(
        one.count + other.count,
        one.scores & other.scores,
        one.notes & other.notes,
        Amount(
            min(one.tokens.low, other.tokens.low),
            max(one.tokens.high, other.tokens.high),
        ),
        one.question,
    )
