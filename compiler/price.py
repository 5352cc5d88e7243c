"""What a graph will cost, low and high, before anything runs.

A call is one completion asked for: a request for 16 draws is 16 calls and one prompt. Token counts
of texts are estimates (characters over the model's characters per token); bounds on completions are
exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil

from .ahead import ahead
from .flow import infer, read_by
from .graph import Graph, Node
from .model import Price
from .op import All, Amount, Calls, Each, Flow, Op, Source, Uses
from .registry import model_info
from .toolspec import ToolSpec

__all__ = ["Cost", "Dollars", "Load", "Seconds", "loads", "price"]


@dataclass(frozen=True, slots=True)
class Dollars:
    """A sum of dollars known between two bounds."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: Dollars) -> Dollars:
        return Dollars(self.low + other.low, self.high + other.high)


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time estimated between two bounds."""

    low: float
    high: float


_NONE = Amount(0, 0)
_FREE = Dollars()


@dataclass(frozen=True, slots=True)
class Cost:
    """Bounds on what a step or pipeline spends on one question.

    `depth` is how many calls follow one another at most: the critical path, in calls. `seconds`
    are estimated where models are placed on GPUs, None elsewhere.
    """

    calls: Amount = _NONE
    prompt: Amount = _NONE
    completion: Amount = _NONE
    usd: Dollars = _FREE
    depth: Amount = _NONE
    tools: Amount = _NONE
    """Calls of tools."""
    seconds: Seconds | None = None

    @property
    def tokens(self) -> Amount:
        """Prompt and completion tokens together."""
        return self.prompt + self.completion

    def __add__(self, other: Cost) -> Cost:
        """Both, at the same time: depths and seconds do not add."""
        return Cost(
            self.calls + other.calls,
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.usd + other.usd,
            Amount(max(self.depth.low, other.depth.low), max(self.depth.high, other.depth.high)),
            self.tools + other.tools,
        )


@dataclass(frozen=True, slots=True)
class Load:
    """Calls of a step to one model, and how many `prompts` they show: the draws of one request
    share theirs."""

    calls: Calls
    prompts: Amount


def loads(graph: Graph, question: Amount) -> dict[str, tuple[Load, ...]]:
    """What every step of a settled graph asks of its models, for a question of so many tokens."""
    flows, _ = infer(graph, question)
    read = _read(graph, flows)
    return {
        name: _loads(graph.nodes[name], _given(graph, name, flows, question), read[name])
        for name in graph.order
    }


def price(graph: Graph, question: Amount) -> tuple[dict[str, Cost], Cost]:
    """The cost of every step of a settled graph, and of the whole.

    `question` is the length of the question in tokens.
    """
    flows, _ = infer(graph, question)
    read = _read(graph, flows)
    maybe = {name for name, node in graph.nodes.items() if node.gate}
    prices = {name: _price(graph, name) for name in graph.models}
    fed = {name: _given(graph, name, flows, question) for name in graph.order}
    costs = {
        name: _cost(graph.nodes[name], fed[name], read[name], prices)
        + _tools_cost(graph.nodes[name].op.tool_uses(fed[name]), read[name], graph.tools)
        for name in graph.order
    }
    costs.update({name: _perhaps(costs[name]) for name in maybe})
    for name, most in ahead(graph).items():
        if isinstance(graph.nodes[name].op, Source | Each):
            costs[name] = _in_rounds(costs[name], ceil(flows[name].count.high / most))
    total = sum(costs.values(), Cost())
    return costs, replace(total, depth=_path(graph, costs))


def _in_rounds(cost: Cost, rounds: int) -> Cost:
    """The cost of candidates made so many rounds one after another, for a reader with a window."""
    depth = Amount(cost.depth.low, cost.depth.high * max(1, rounds))
    return replace(cost, depth=depth)


def _perhaps(cost: Cost) -> Cost:
    """The cost of a step that may not run at all."""
    return Cost(
        Amount(0, cost.calls.high),
        Amount(0, cost.prompt.high),
        Amount(0, cost.completion.high),
        Dollars(0.0, cost.usd.high),
        Amount(0, cost.depth.high),
        Amount(0, cost.tools.high),
    )


def _price(graph: Graph, model: str) -> Price:
    spec = graph.models[model]
    return spec.price.price() if spec.price else model_info(spec).price


def _given(graph: Graph, name: str, flows: Mapping[str, Flow], question: Amount) -> Flow:
    node = graph.nodes[name]
    asked = flows[node.topic].tokens if node.topic else question
    if not node.inputs:
        return Flow(Amount(0, 0), question=asked)
    return replace(read_by(node.op, [flows[i] for i in node.inputs]), question=asked)


_ALL = 1 << 30
"""So many candidates are read as there are."""


def _read(graph: Graph, flows: Mapping[str, Flow]) -> dict[str, int]:
    """The fewest candidates of each node that its readers can make do with; `_ALL` where one of
    them reads to the end, 0 where none may want any."""
    least = dict.fromkeys(graph.nodes, 0)
    least[graph.output] = _ALL
    for name in reversed(graph.order):
        node = graph.nodes[name]
        if least[name]:
            for before in node.waits_for:
                least[before] = max(least[before], 1)
        wanted = 0 if node.gate else _wanted(node, flows, least[name])
        for inner in node.inputs:
            # Those after it are read only once it has ended, and it may be at its longest.
            least[inner] = max(least[inner], wanted)
            wanted = _after(node.op, wanted, flows[inner])
    return least


def _after(op: Op, wanted: int, read: Flow) -> int:
    """The fewest candidates that are read of the next input, of those wanted when this one is
    read."""
    if isinstance(op, All) and op.reading == "first":
        return 0 if read.count.high else wanted
    return wanted if wanted == _ALL else max(0, wanted - read.count.high)


def _wanted(node: Node, flows: Mapping[str, Flow], read: int) -> int:
    """The fewest candidates that a node reads when so many of its own are read."""
    if not isinstance(node.op, All) or not read:
        return read
    given = read_by(node.op, [flows[name] for name in node.inputs])
    if node.op.passes_on:
        return read
    least = node.op.least(given)
    return _ALL if least >= given.count.low and node.op.window(given) is None else least


def _cost(node: Node, given: Flow, read: int, prices: Mapping[str, Price]) -> Cost:
    return sum((_load_cost(load, prices) for load in _loads(node, given, read)), Cost())


def _loads(node: Node, given: Flow, read: int) -> tuple[Load, ...]:
    if isinstance(node.op, Source):
        return tuple(_source_loads(node.op, node.chunk, given, read))
    if isinstance(node.op, Each):
        given = given.with_count(min(read, given.count.low), given.count.high)
    calls = node.op.calls(given)
    if not read:
        calls = tuple(replace(c, count=Amount(0, c.count.high)) for c in calls)
    return tuple(Load(c, c.count) for c in calls)


def _tools_cost(uses: Uses | None, read: int, tools: Mapping[str, ToolSpec]) -> Cost:
    """The cost of calls of tools, each of which may be the cheapest or the dearest."""
    if uses is None:
        return Cost()
    prices = [tools[name].usd for name in uses.tools] or [0.0]
    tries = [tools[name].usd * (1 + tools[name].retries) for name in uses.tools] or [0.0]
    count = Amount(uses.count.low if read else 0, uses.count.high)
    return Cost(usd=Dollars(count.low * min(prices), count.high * max(tries)), tools=count)


def _source_loads(op: Source, chunk: int, given: Flow, read: int) -> Iterator[Load]:
    for group, calls in zip(op.groups(), op.calls(given), strict=True):
        drawn = Amount(max(0, min(group.stop, read) - group.start), len(group))
        requests = Amount(ceil(drawn.low / chunk), ceil(drawn.high / chunk))
        yield Load(replace(calls, count=drawn), requests)


def _load_cost(load: Load, prices: Mapping[str, Price]) -> Cost:
    calls = load.calls
    count = calls.count
    prompt = calls.prompt * load.prompts
    completion = calls.completion * count
    rate = prices.get(calls.model, Price())
    return Cost(
        count,
        prompt,
        completion,
        _dollars(rate, prompt, completion),
        Amount(min(calls.depth.low, count.low), min(calls.depth.high, count.high)),
    )


def _dollars(rate: Price, prompt: Amount, completion: Amount) -> Dollars:
    """Low if all of the prompts is in the backend's cache, high if nothing is; or the other way
    round, where that costs more."""
    low, high = (
        [rate.usd(tokens, out, cached) for cached in (0, tokens)]
        for tokens, out in ((prompt.low, completion.low), (prompt.high, completion.high))
    )
    return Dollars(min(low), max(high))


def _path(graph: Graph, costs: Mapping[str, Cost]) -> Amount:
    """The longest chain of calls through the graph."""
    reached: dict[str, Amount] = {}
    for name in graph.order:
        node = graph.nodes[name]
        before = [reached[i] for i in (*node.inputs, *node.waits_for)]
        own = costs[name].depth
        reached[name] = Amount(
            max((a.low for a in before), default=0) + own.low,
            max((a.high for a in before), default=0) + own.high,
        )
    return reached[graph.output]
