"""What a graph will cost, low and high, before anything runs.

A call is one completion asked for: a request for 16 draws is 16 calls and one prompt. Token counts
of texts are estimates (characters over the model's characters per token); bounds on completions are
exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from .build import model_info
from .flow import infer, join
from .graph import Graph, Node
from .model import Price
from .op import All, Amount, Calls, Each, Flow, Source

__all__ = ["Cost", "Dollars", "price"]


@dataclass(frozen=True, slots=True)
class Dollars:
    """A sum of dollars known between two bounds."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Dollars) -> Dollars:
        return Dollars(self.low + other.low, self.high + other.high)


@dataclass(frozen=True, slots=True)
class Cost:
    """Bounds on what a step or pipeline spends on one question.

    `depth` is how many calls follow one another at most: the critical path, in calls.
    """

    calls: Amount = Amount(0, 0)
    prompt: Amount = Amount(0, 0)
    completion: Amount = Amount(0, 0)
    usd: Dollars = Dollars()
    depth: Amount = Amount(0, 0)

    @property
    def tokens(self) -> Amount:
        """Prompt and completion tokens together."""
        return self.prompt + self.completion

    def __add__(self, other: Cost) -> Cost:
        """Both, at the same time: depths do not add."""
        return Cost(
            self.calls + other.calls,
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.usd + other.usd,
            Amount(max(self.depth.low, other.depth.low), max(self.depth.high, other.depth.high)),
        )


def price(graph: Graph, question: Amount) -> tuple[dict[str, Cost], Cost]:
    """The cost of every step of a settled graph, and of the whole.

    `question` is the length of the question in tokens.
    """
    flows, _ = infer(graph, question)
    read = _read(graph, flows)
    prices = {name: _price(graph, name) for name in graph.models}
    costs = {
        name: _cost(graph.nodes[name], _given(graph, name, flows, question), read[name], prices)
        for name in graph.order
    }
    total = sum(costs.values(), Cost())
    return costs, Cost(total.calls, total.prompt, total.completion, total.usd, _path(graph, costs))


def _price(graph: Graph, model: str) -> Price:
    spec = graph.models[model]
    return spec.price.price() if spec.price else model_info(spec).price


def _given(graph: Graph, name: str, flows: Mapping[str, Flow], question: Amount) -> Flow:
    inputs = graph.nodes[name].inputs
    return join([flows[i] for i in inputs]) if inputs else Flow(Amount(0, 0), question=question)


def _read(graph: Graph, flows: Mapping[str, Flow]) -> dict[str, int]:
    """The fewest candidates of each node that its readers can make do with."""
    least: dict[str, int] = {}
    for name in reversed(graph.order):
        wants = [flows[name].count.low] if name == graph.output else []
        for reader in graph.readers(name):
            if isinstance(reader.op, All) and len(reader.inputs) == 1:
                wants.append(reader.op.least(flows[name]))
            elif isinstance(reader.op, Each):
                wants.append(least[reader.name])
            else:
                wants.append(0)
        least[name] = min(max(wants, default=0), flows[name].count.low)
    return least


def _cost(node: Node, given: Flow, read: int, prices: Mapping[str, Price]) -> Cost:
    if isinstance(node.op, Source):
        return _source_cost(node.op, node.chunk, given, read, prices)
    if isinstance(node.op, Each):
        given = given.with_count(min(read, given.count.low), given.count.high)
    return sum((_calls_cost(calls, calls.count, prices) for calls in node.op.calls(given)), Cost())


def _source_cost(
    op: Source, chunk: int, given: Flow, read: int, prices: Mapping[str, Price]
) -> Cost:
    cost = Cost()
    for group, calls in zip(op.groups(), op.calls(given), strict=True):
        drawn = Amount(max(0, min(group.stop, read) - group.start), len(group))
        requests = Amount(ceil(drawn.low / chunk), ceil(drawn.high / chunk))
        cost += _calls_cost(calls, drawn, prices, requests)
    return cost


def _calls_cost(
    calls: Calls, count: Amount, prices: Mapping[str, Price], requests: Amount | None = None
) -> Cost:
    prompt = calls.prompt * (requests or count)
    completion = calls.completion * count
    rate = prices.get(calls.model, Price())
    return Cost(
        count,
        prompt,
        completion,
        Dollars(rate.usd(prompt.low, completion.low), rate.usd(prompt.high, completion.high)),
        Amount(min(calls.depth.low, count.low), min(calls.depth.high, count.high)),
    )


def _path(graph: Graph, costs: Mapping[str, Cost]) -> Amount:
    """The longest chain of calls through the graph."""
    reached: dict[str, Amount] = {}
    for name in graph.order:
        before = [reached[i] for i in graph.nodes[name].inputs]
        own = costs[name].depth
        reached[name] = Amount(
            max((a.low for a in before), default=0) + own.low,
            max((a.high for a in before), default=0) + own.high,
        )
    return reached[graph.output]
