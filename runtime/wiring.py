"""What is the same in every run of a plan: sizes, readers, which draws are asked for together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..compiler.graph import Node
from ..compiler.model import Capability
from ..compiler.op import Source
from ..compiler.plan import Plan
from ..compiler.spec import ModelSpec

__all__ = ["Wiring", "number", "wirings"]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What is the same in every run of a step. `readers` read its output, the result included."""

    node: Node
    size: int
    readers: int
    request_of: tuple[range, ...]
    numbers: tuple[int, ...]
    """Of a source: the number of each of its draws."""
    base: int
    """Of any other step: where the numbers of its draws begin."""
    optional: frozenset[Capability] = frozenset()
    """What it uses where a model offers it, and can do without."""


def wirings(plan: Plan) -> tuple[Wiring, ...]:
    """The steps of a plan in running order."""
    graph = plan.graph
    readers = dict.fromkeys(graph.nodes, 0)
    readers[graph.output] += 1
    for node in graph.nodes.values():
        for name in (*node.inputs, *node.waits_for):
            readers[name] += 1
    taken: dict[str, int] = {}
    return tuple(
        Wiring(
            graph.nodes[name],
            plan.flows[name].count.high,
            readers[name],
            _requests(graph.nodes[name]),
            _numbers(graph.nodes[name], graph.models, taken),
            _base(graph.nodes[name], taken),
            frozenset(c for asking in graph.nodes[name].op.askings() for c in asking.prefers()),
        )
        for name in graph.order
    )


def _requests(node: Node) -> tuple[range, ...]:
    """For every draw of a source, the draws it is asked for together with."""
    if not isinstance(node.op, Source):
        return ()
    chunks: list[range] = []
    for group in node.op.groups():
        for start in range(group.start, group.stop, node.chunk):
            chunk = range(start, min(start + node.chunk, group.stop))
            chunks += [chunk] * len(chunk)
    return tuple(chunks)


_BASE = 1 << 44
_PLACE = 1 << 24


def number(base: int, place: int | None, draw: int) -> int:
    """The number of a draw of a step that is no source: its own for every place of every step that
    might ask the same."""
    return base + (_PLACE * (place + 1) if place is not None else 0) + draw


def _base(node: Node, taken: dict[str, int]) -> int:
    """Where the numbers of a step that is no source begin: elsewhere for each of equal steps."""
    if isinstance(node.op, Source) or not node.op.askings():
        return 0
    key = f"{node.kind} {node.op.model_dump()}"
    taken[key] = taken.get(key, -1) + 1
    return _BASE * taken[key]


_NO_PART = {"n", "members", "model", "logprobs"}
"""Arguments of a source that decide nothing of what one of its draws says."""


def _numbers(node: Node, models: Mapping[str, ModelSpec], taken: dict[str, int]) -> tuple[int, ...]:
    """For every draw of a source, the how-manyth draw it is of its prompt, model and parameters.

    `taken` counts them over the whole pipeline: two steps with equal prompts draw different
    numbers, for they are independent.
    """
    if not isinstance(node.op, Source):
        return ()
    numbers: list[int] = []
    for group, asking in zip(node.op.groups(), node.op.askings(), strict=True):
        # Two names of one model share its draws.
        model = models[asking.model or ""]
        asked = asking.model_dump(exclude=_NO_PART)
        key = f"{model.model} {model.options} {asked}"
        start = taken.get(key, 0)
        taken[key] = start + len(group)
        numbers += range(start, start + len(group))
    return tuple(numbers)
