"""A page for each operator, out of its docstring, its fields, and the plans of pipelines that use
it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from polyarch.cli.explained import Explained, explained
from polyarch.compiler.emit.table import dollars
from polyarch.compiler.graph import Node
from polyarch.compiler.registry import operator_names

from .found import Found, found
from .markdown import fenced, table, undented

__all__ = ["pages"]

_SHOWN = 4
"""Pipelines whose plans are shown of an operator, the shortest first."""


def pages() -> Mapping[str, str]:
    """Every operator's page by its path."""
    return {f"operators/{name}.md": "\n".join(_page(name)) + "\n" for name in operator_names()}


def _page(name: str) -> Iterator[str]:
    told = explained(name)
    users = _users(name)
    yield f"# {name}"
    yield ""
    yield undented(told.help)
    yield ""
    yield from _arguments(told)
    yield from _prompt(told)
    yield "## What it reads, adds and costs"
    yield ""
    yield told.reads
    yield f"In plans, for a question of {users[0].plan.question} tokens:" if users else ""
    yield ""
    yield from table(
        ("pipeline", "step", "reads", "gives", "adds", "calls", "tokens of prompts", "of replies"),
        [_cost(one, node) for one in users for node in _nodes(one, name)],
    )
    yield ""
    if users:
        yield "## Example"
        yield ""
        yield f"From {users[0].where}. {users[0].plan.graph.about}"
        yield ""
        yield from fenced("yaml", users[0].text)
        yield ""
    yield from _used(name)


def _users(name: str) -> Sequence[Found]:
    """Where it works: before others, where it is written, and not the part of a region."""
    users = [one for one in found() if _nodes(one, name)]
    return sorted(users, key=lambda one: f"op: {name}" not in one.text)[:_SHOWN]


def _nodes(one: Found, name: str) -> Sequence[Node]:
    nodes = (one.plan.graph.nodes[step] for step in one.plan.graph.order)
    return [node for node in nodes if node.kind == name]


def _arguments(told: Explained) -> Iterator[str]:
    if not told.arguments:
        yield "It takes no arguments.\n"
        return
    yield "## Arguments"
    yield ""
    rows = [
        (
            f"`{field.name}`",
            field.kind,
            "required" if field.required else f"`{field.default}`",
            field.about,
        )
        for field in told.arguments
    ]
    yield from table(("argument", "takes", "if left out", ""), rows)
    yield ""


def _prompt(told: Explained) -> Iterator[str]:
    if told.variables:
        named = ", ".join(f"`{{{name}}}`" for name in told.variables)
        yield "## Prompt"
        yield ""
        yield f"A prompt may name {named}, and the fields of a record."
        yield ""
    if told.prompt:
        yield "Its own:"
        yield ""
        yield from fenced("text", told.prompt)
        yield ""


def _cost(one: Found, node: Node) -> Sequence[str]:
    plan = one.plan
    given = [plan.flows[name] for name in node.inputs if name in plan.flows]
    flow, cost = plan.flows[node.name], plan.costs[node.name]
    before = {name for each in given for name in (*each.scores, *each.notes)}
    added = [
        *(f"score `{name}`" for name in sorted(flow.scores - before)),
        *(f"note `{name}`" for name in sorted(flow.notes - before)),
    ]
    usd = "" if cost.usd.high == 0 else f" ${dollars(cost.usd)}"
    return (
        one.where,
        f"`{node.name}`",
        " + ".join(str(each.count) for each in given) or "the question",
        str(flow.count),
        ", ".join(added),
        f"{cost.calls}{usd}",
        str(cost.prompt),
        str(cost.completion),
    )


def _used(name: str) -> Iterator[str]:
    told = [one for one in found() if _nodes(one, name) and one.plan.graph.source]
    if told:
        yield "## In the library"
        yield ""
        yield from (f"- {one.where}: {one.plan.graph.source}" for one in told)
