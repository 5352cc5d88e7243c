"""Order the paragraphs of the operators' own prompts so that requests share the longest prefix.

Preserves the parts of each prompt, not their order: the same paragraphs are sent, but for the
heading over a question that opens a prompt. A model may answer differently to another order, so
`layout: written` leaves it; a prompt that the pipeline writes itself is never changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..graph import Graph, Node
from ..layout import ORDERS, laid_out, paragraphs
from ..prefixes import Prefixes, Route
from ..sharing import Prompts, prompts
from ..verify import ANY_QUESTION

__all__ = ["prefix"]


def prefix(graph: Graph) -> Graph:
    """Choose the order of each prompt by the estimate of what must be computed for one question
    among many; of equally good ones the order written. Note the orders chosen."""
    prefixes = Prefixes()
    choices = [
        _Choice(one, tuple(_options(graph, one, prefixes))) for one in prompts(graph, ANY_QUESTION)
    ]
    if all(len(choice.options) == 1 for choice in choices):
        return graph
    picked = list(zip(choices, _best(choices, prefixes), strict=True))
    moved: dict[str, dict[int, _Option]] = {}
    for choice, pick in picked:
        if pick:
            one = choice.prompts
            moved.setdefault(one.step, {})[one.place] = choice.options[pick]
    nodes = (_with(node, moved.get(node.name, {})) for node in graph.nodes.values())
    return graph.with_nodes(nodes).noting(*_notes(moved))


@dataclass(frozen=True, slots=True)
class _Option:
    """One order of a prompt, and the way of the prompt through the prefixes."""

    order: str
    text: str
    route: Route


@dataclass(frozen=True, slots=True)
class _Choice:
    """Some prompts and the orders that they can have, as written first."""

    prompts: Prompts
    options: Sequence[_Option]


def _options(graph: Graph, one: Prompts, prefixes: Prefixes) -> Iterator[_Option]:
    yield _option("as written", one.template, one, prefixes)
    asking, layout = one.asking, graph.nodes[one.step].layout
    if asking.movable and asking.prompt is None and layout == "prefix":
        parts = paragraphs(one.template, one.question, one.shown)
        for name, order in ORDERS.items():
            yield _option(name, laid_out(parts, order), one, prefixes)


def _option(order: str, text: str, one: Prompts, prefixes: Prefixes) -> _Option:
    return _Option(order, text, prefixes.route(one.model, one.segments(text)))


def _best(choices: Sequence[_Choice], prefixes: Prefixes) -> Sequence[int]:
    """The option of each choice, by number, that together make the fewest tokens new.

    Prompts gain from an order only where others take it too, so the search starts once from each
    order taken by all, and then changes one at a time.
    """
    starts = range(1 + len(ORDERS))
    found = [_improved(choices, prefixes, start) for start in starts]
    return min(found, key=lambda one: one[0])[1]


def _improved(
    choices: Sequence[_Choice], prefixes: Prefixes, start: int
) -> tuple[int, Sequence[int]]:
    """The new tokens, and the options, when no other option of a single choice makes fewer."""
    picks = [min(start, len(choice.options) - 1) for choice in choices]
    routes = [[option.route for option in choice.options] for choice in choices]
    total = 0
    for own, pick in zip(routes, picks, strict=True):
        total += prefixes.new(own[pick])
        prefixes.add(own[pick])
    better = True
    while better:
        better = False
        for place, own in enumerate(routes):
            prefixes.drop(own[picks[place]])
            new = [prefixes.new(route) for route in own]
            pick = new.index(min(new))
            total += new[pick] - new[picks[place]]
            better |= pick != picks[place]
            picks[place] = pick
            prefixes.add(own[pick])
    for own, pick in zip(routes, picks, strict=True):
        prefixes.drop(own[pick])
    return total, picks


def _with(node: Node, moved: Mapping[int, _Option]) -> Node:
    """The node with those of its prompts that were moved, by their places."""
    if not moved:
        return node
    askings = (
        asking.model_copy(update={"prompt": moved[place].text}) if place in moved else asking
        for place, asking in enumerate(node.op.askings())
    )
    return replace(node, op=node.op.with_askings(tuple(askings)))


def _notes(moved: Mapping[str, Mapping[int, _Option]]) -> Iterator[str]:
    """For each order the steps that have it."""
    for order in ORDERS:
        steps = [name for name, own in moved.items() if order in {o.order for o in own.values()}]
        if steps:
            yield f"prompts laid out as {order}, to share prefixes: {', '.join(steps)}"
