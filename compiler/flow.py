"""Shape inference: how many candidates every edge holds at least and at most, and which scores.

Nothing runs. What an operator cannot read is a fault at its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce

from .errors import Fault
from .graph import INPUT, Graph, Node
from .op import All, Amount, Flow, Mismatch, Op

__all__ = ["infer", "join", "read_by"]


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
        if any(i != INPUT and i not in known for i in (*node.inputs, *node.waits_for)):
            continue
        try:
            known[name] = _failing(node, node.op.flow(_fed(node, known, given or nothing)))
        except Mismatch as mismatch:
            if mismatch.inner:
                faults += mismatch.inner
                continue
            span = node.place.of(mismatch.field)
            faults.append(Fault(mismatch.code, f"{node.kind}: {mismatch}", span))
    return known, faults


def _fed(node: Node, known: Mapping[str, Flow], given: Flow) -> Flow:
    """What a node reads: its inputs, one after the other."""
    question = known[node.topic].tokens if node.topic else given.question
    flows = [given if name == INPUT else known[name] for name in node.inputs]
    return replace(read_by(node.op, flows), question=question)


def read_by(op: Op, flows: list[Flow]) -> Flow:
    """What an operator reads of several edges, or of none."""
    if not flows:
        return Flow(Amount(0, 0))
    reading = op.reading if isinstance(op, All) else "joined"
    match reading:
        case "first":
            sure = next((place for place, flow in enumerate(flows) if flow.count.low), None)
            # One before the sure one may give fewer in its stead, but then at least one.
            low = 0 if sure is None else 1 if sure else flows[0].count.low
            return join(flows).with_count(low, max(flow.count.high for flow in flows))
        case "last":
            return flows[-1]
    return join(flows)


def _failing(node: Node, flow: Flow) -> Flow:
    """The flow of a step of which some candidates may fail, or which may not run at all."""
    low = flow.count.low if node.at_least is None else min(node.at_least, flow.count.low)
    low = 0 if node.gate else low
    return flow if low == flow.count.low else flow.with_count(low, flow.count.high)


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
