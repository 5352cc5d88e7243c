"""A pipeline as a picture: a box for each step, arrows for what it reads."""

from __future__ import annotations

from html import escape

from ..compiler.graph import Graph, Node

__all__ = ["drawing"]

_WIDE, _HIGH = 168, 44
_ACROSS, _DOWN = 34, 16
_EDGE = 6
_LETTERS = 24


def drawing(graph: Graph) -> str:
    """The steps as SVG, from left to right in the order in which they can run."""
    columns = _columns(graph)
    rows: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for name in graph.order:
        column = columns[name]
        row = rows[column] = rows.get(column, -1) + 1
        places[name] = (_EDGE + column * (_WIDE + _ACROSS), _EDGE + row * (_HIGH + _DOWN))
    width = max(x for x, _ in places.values()) + _WIDE + _EDGE
    height = max(y for _, y in places.values()) + _HIGH + _EDGE
    arrows = "".join(
        _arrow(places[read], places[name])
        for name in graph.order
        for read in graph.nodes[name].inputs
        if read in places
    )
    boxes = "".join(_box(graph, graph.nodes[name], *places[name]) for name in graph.order)
    return (
        f'<svg viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" '
        f'aria-label="the steps of {escape(graph.name)}"><defs><marker id="tip" viewBox="0 0 8 8" '
        'refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z"/></marker></defs>{arrows}{boxes}</svg>'
    )


def _columns(graph: Graph) -> dict[str, int]:
    """How many steps stand before each at most."""
    made: dict[str, int] = {}
    for name in graph.order:
        node = graph.nodes[name]
        before = [made[read] for read in (*node.inputs, *node.waits_for) if read in made]
        made[name] = 1 + max(before, default=-1)
    return made


def _box(graph: Graph, node: Node, x: int, y: int) -> str:
    models = dict.fromkeys(a.model for a in node.op.askings() if a.model is not None)
    count = getattr(node.op, "n", None)
    many = f" × {count}" if isinstance(count, int) and count > 1 else ""
    asked = ", ".join(models)
    out = ' class="out"' if node.name == graph.output else ""
    return (
        f'<g{out}><rect class="step" x="{x}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="5"/>'
        f'<text class="name" x="{x + 9}" y="{y + 18}">{escape(_cut(node.name))}</text>'
        f'<text x="{x + 9}" y="{y + 34}">{escape(_cut(f"{node.kind}{many}  {asked}"))}</text></g>'
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + _WIDE, start[1] + _HIGH // 2
    x2, y2 = end[0], end[1] + _HIGH // 2
    bend = max(_ACROSS, (x2 - x1) // 2)
    return (
        f'<path class="arrow" marker-end="url(#tip)" '
        f'd="M{x1} {y1}C{x1 + bend // 2} {y1} {x2 - bend // 2} {y2} {x2} {y2}"/>'
    )
