"""The plan as a drawing, SVG without scripts or fonts of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from ..graph import Node
from ..plan import Plan
from .arranged import HIGH, QUESTION, RESULT, WIDE, Arranged, Box, Spot, arranged

__all__ = ["COLOURS", "boxes", "captions", "draw", "drawing", "emit", "short"]

COLOURS = ("#3b78b8", "#d9534f", "#2b8a3e", "#b8860b", "#1f9aa8", "#9c3587", "#6b5bd2", "#7a7f87")
"""Of the bars of boxes, by the numbers of their steps, over and over."""

_LETTERS = 23
"""Of a name that fit into a box."""

_LOOK = (
    "<style>svg { color: #1b1f24; background: #fff } "
    "@media (prefers-color-scheme: dark) { svg { color: #e4e8ed; background: #14171b } }</style>"
)


def emit(plan: Plan) -> str:
    """The graph as an SVG file, light or dark as the reader's screen is."""
    head, body = drawing(plan).split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg">{_LOOK}{body}\n'


def drawing(plan: Plan) -> str:
    """The graph to stand within a page, whose colour of text it takes."""
    told = boxes(plan)
    return draw(
        told, arranged(told, plan.graph.output), captions(plan), f"The graph of {plan.graph.name}"
    )


def boxes(plan: Plan) -> Sequence[Box]:
    """The steps of a plan, in the order they were written."""
    return [
        Box(node.name, node.kind, node.inputs, node.waits_for, bool(node.topic))
        for node in plan.graph.nodes.values()
    ]


def captions(plan: Plan) -> Mapping[str, str]:
    """The last line in each box: how many candidates come out of a step, and of which models."""
    return {name: _caption(plan, node) for name, node in plan.graph.nodes.items()}


def _caption(plan: Plan, node: Node) -> str:
    count = plan.flows[node.name].count
    models = dict.fromkeys(asking.model or "" for asking in node.op.askings())
    return " · ".join((f"{count} candidate{'s' * (count.high != 1)}", *models))


def draw(
    told: Sequence[Box],
    where: Arranged,
    captions: Mapping[str, str],
    title: str,
    *,
    pressed: bool = False,
) -> str:
    """Boxes and lines in the colour of the text around them; styles of a page may say otherwise by
    the classes edge, tip, end, step, name, kind and sums. With `pressed`, steps are buttons."""
    parts = [*_lines(where), *_ends(where)]
    for number, box in enumerate(told):
        parts.append(_box(number, box, where.spots[box.name], captions.get(box.name, ""), pressed))
    role = "group" if pressed else "img"
    return (
        f'<svg viewBox="0 0 {where.width} {where.height}" width="{where.width}" '
        f'height="{where.height}" role="{role}" aria-label="{escape(title)}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="currentColor">'
        f"{''.join(parts)}</svg>"
    )


def _lines(where: Arranged) -> Iterator[str]:
    for line in where.lines:
        dashed = ' stroke-dasharray="4 4"' if line.waits else ""
        yield (
            f'<path class="edge" d="{line.path}" fill="none" stroke="currentColor" '
            f'stroke-opacity=".5"{dashed}/>'
        )
        if line.tip is not None:
            x, y = line.tip
            path = f"M{x - 7},{y - 4} L{x},{y} L{x - 7},{y + 4} Z"
            yield f'<path class="tip" d="{path}" fill-opacity=".6"/>'


def _ends(where: Arranged) -> Iterator[str]:
    for name, title in ((QUESTION, "question"), (RESULT, "result")):
        x, y = where.spots[name]
        yield (
            f'<g class="end" transform="translate({x},{y})"><rect width="{WIDE}" height="{HIGH}" '
            f'rx="25" fill="none" stroke="currentColor" stroke-opacity=".35"/>'
            f'<text x="{WIDE // 2}" y="30" text-anchor="middle">{title}</text></g>'
        )


def _box(number: int, box: Box, spot: Spot, caption: str, pressed: bool) -> str:
    name = escape(box.name)
    button = ' tabindex="0" role="button" aria-pressed="false"' if pressed else ""
    colour = number % len(COLOURS)
    return (
        f'<g class="step" data-step="{name}"{button} transform="translate({spot.x},{spot.y})">'
        f"<title>{name}</title>"
        f'<rect width="{WIDE}" height="{HIGH}" rx="6" fill-opacity=".05" stroke="currentColor" '
        f'stroke-opacity=".35"/>'
        f'<rect class="c{colour} bar" width="5" height="{HIGH}" rx="2" fill="{COLOURS[colour]}"/>'
        f'<text class="name" x="14" y="17" font-weight="600">{escape(short(box.name))}</text>'
        f'<text class="kind" x="14" y="31" font-size="10.5">{escape(short(box.kind))}</text>'
        f'<text class="sums" x="14" y="44" font-size="10.5" fill-opacity=".75">'
        f"{escape(short(caption, 28))}</text></g>"
    )


def short(text: str, most: int = _LETTERS) -> str:
    """A text, cut to so many letters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
