"""Ask for several draws of one prompt in one request, so that its prefill is computed once.

Preserves the distribution of answers: the draws stay independent, each with its own seed. A request
never holds more draws than a reader that may stop early wants ahead, nor more than the budgets
around its step can hold at their longest: it would never be sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..ahead import ahead
from ..graph import Graph, Node
from ..model import Capability, Price
from ..op import Amount, Flow, Source
from ..registry import model_info
from ..verify import ANY_QUESTION

__all__ = ["coalesce"]


def coalesce(graph: Graph) -> Graph:
    """Give each source its chunk: as many draws a request as its models take and its readers
    want."""
    wanted = ahead(graph)
    return graph.with_nodes(
        replace(node, chunk=_chunk(graph, node, node.op, wanted[node.name]))
        if isinstance(node.op, Source)
        else node
        for node in graph.nodes.values()
    )


def _chunk(graph: Graph, node: Node, op: Source, wanted: int) -> int:
    longest = max(len(group) for group in op.groups())
    taken = min(_draws(graph, asking.model or "") for asking in op.askings())
    return max(1, min(longest, taken, wanted, *_afforded(graph, node, op)))


def _afforded(graph: Graph, node: Node, op: Source) -> Iterator[int]:
    """How many draws of a step the upper bound of one request may hold, by each limit."""
    flow = Flow(Amount(0, 0), question=ANY_QUESTION)
    for budget in graph.around(node.scope):
        if budget.calls is not None:
            yield budget.calls
        for calls in op.calls(flow):
            price = _price(graph, calls.model)
            if budget.tokens is not None:
                yield (budget.tokens - calls.prompt.high) // calls.completion.high
            if budget.usd is not None and (each := price.usd(0, calls.completion.high)):
                yield int((budget.usd - price.usd(calls.prompt.high, 0)) / each)


def _price(graph: Graph, model: str) -> Price:
    spec = graph.models[model]
    return spec.price.price() if spec.price else model_info(spec).price


def _draws(graph: Graph, model: str) -> int:
    """How many draws one request to a model may ask for."""
    spec = graph.models[model]
    info = model_info(spec)
    if Capability.DRAWS not in info.capabilities:
        return 1
    return min(spec.max_draws or info.max_draws, info.max_draws)
