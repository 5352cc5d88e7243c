"""Plots as SVG: drawn once, no scripts, coloured by the page that they stand in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

from ...compiler.emit.svg import short
from ..intervals import Interval
from .axis import Axis

__all__ = ["Point", "curves", "forest", "reliability", "scatter"]

_WIDTH = 760
_ROW = 26
_LABEL = 230
_COLOURS = 8


class Point(NamedTuple):
    """A pipeline in a plot of score over cost."""

    name: str
    cost: float
    score: Interval


def forest(
    rows: Sequence[tuple[str, Interval]], label: str, *, percent: bool, zero: bool = False
) -> str:
    """A dot and a line for each interval, one a row; with `zero`, a line at 0."""
    if not rows:
        return ""
    lows, highs = [i.low for _, i in rows], [i.high for _, i in rows]
    low, high = min([*lows, 0.0] if zero else lows), max([*highs, 0.0] if zero else highs)
    axis = Axis(low, high, _LABEL, _WIDTH - 20, percent, signed=zero)
    bottom = _ROW * len(rows) + 8
    parts = [axis.drawn(0, bottom)]
    if zero:
        parts.append(
            f'<line class="zero" x1="{axis(0):.1f}" x2="{axis(0):.1f}" y1="0" y2="{bottom}"/>'
        )
    for place, (name, own) in enumerate(rows):
        y = _ROW * place + _ROW / 2 + 4
        sure = zero and (own.low > 0 or own.high < 0)
        told = f"{name}: {axis.text(own.estimate)} [{axis.text(own.low)}, {axis.text(own.high)}]"
        shown = escape(short(name, 32))
        parts.append(
            f'<g class="{"sure" if sure else "own"}"><title>{escape(told)}</title>'
            f'<text x="{_LABEL - 12}" y="{y + 4}" text-anchor="end">{shown}</text>'
            f'<line x1="{axis(own.low):.1f}" x2="{axis(own.high):.1f}" y1="{y}" y2="{y}"/>'
            f'<circle cx="{axis(own.estimate):.1f}" cy="{y}" r="4.5"/></g>'
        )
    return _svg(bottom + 46, [*parts, _below(label, bottom + 40)], label)


def scatter(points: Sequence[Point], label: str, *, percent: bool) -> str:
    """Score over cost, on a logarithmic axis; those that nothing cheaper beats are joined."""
    shown = [point for point in points if point.cost > 0]
    if not shown:
        return ""
    height, left = 330, 64
    costs = [log10(point.cost) for point in shown]
    across = Axis(floor(min(costs) * 2) / 2, ceil(max(costs) * 2) / 2, left, _WIDTH - 170, False)
    up = Axis(
        min(p.score.low for p in shown), max(p.score.high for p in shown), height, 10, percent
    )
    parts = [_decades(across, height), up.drawn_up(left, _WIDTH - 170)]
    front = _front(shown)
    path = " ".join(f"{across(log10(p.cost)):.1f},{up(p.score.estimate):.1f}" for p in front)
    parts.append(f'<polyline class="front" points="{path}"/>')
    taken: list[float] = []
    for point in sorted(shown, key=lambda p: -p.score.estimate):
        x, y = across(log10(point.cost)), up(point.score.estimate)
        at = _free(y + 4, taken)
        told = f"{point.name}: {up.text(point.score.estimate)} at {point.cost:,.4g}"
        parts.append(
            f'<g class="{"sure" if point in front else "own"}"><title>{escape(told)}</title>'
            f'<line class="bar" x1="{x:.1f}" x2="{x:.1f}" y1="{up(point.score.low):.1f}" '
            f'y2="{up(point.score.high):.1f}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
            f'<line class="lead" x1="{x + 6:.1f}" x2="{_WIDTH - 162}" y1="{y:.1f}" '
            f'y2="{at - 4:.1f}"/>'
            f'<text x="{_WIDTH - 158}" y="{at:.1f}">{escape(short(point.name, 24))}</text></g>'
        )
    return _svg(max(height + 46, max(taken) + 10), [*parts, _below(label, height + 40)], label)


def curves(lines: Mapping[str, Mapping[int, float]], label: str) -> str:
    """Shares over numbers of draws, on a logarithmic axis."""
    if not lines:
        return ""
    height, left, right = 300, 64, _WIDTH - 170
    most = max(max(line) for line in lines.values())
    least = min(min(line) for line in lines.values())
    values = [value for line in lines.values() for value in line.values()]
    low = log10(least) if least < most else 0.0
    across = Axis(low, log10(most) or 1.0, left, right, False)
    up = Axis(min(values), max(values), height, 10, True)
    steps = (1, 2, 5) if most < 2000 * least else (1,)
    round_ = (step * 10**power for power in range(9) for step in steps)
    ticks = sorted({k for k in round_ if least <= k and 1.3 * k < most} | {most})
    parts = [up.drawn_up(left, right)]
    for k in ticks:
        x = across(log10(k))
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{height + 18}" text-anchor="middle">{k:,}</text>'
        )
    taken: list[float] = []
    order = sorted(lines.items(), key=lambda one: -one[1][max(one[1])])
    for number, (name, line) in enumerate(order):
        path = " ".join(f"{across(log10(k)):.1f},{up(v):.1f}" for k, v in sorted(line.items()))
        beside = _free(up(line[max(line)]) + 4, taken)
        parts.append(
            f'<g class="c{number % _COLOURS}"><title>{escape(name)}</title>'
            f'<polyline class="curve" points="{path}"/>'
            f'<text x="{right + 12}" y="{beside:.1f}">{escape(short(name, 24))}</text></g>'
        )
    return _svg(height + 46, [*parts, _below(label, height + 40)], label)


def reliability(bins: Sequence[tuple[int, float, float]], label: str) -> str:
    """How often right over how sure: dots as large as they hold answers, beside the diagonal."""
    size, left = 240, 50
    across = Axis(0.0, 1.0, left, left + size, True, fixed=True)
    up = Axis(0.0, 1.0, size + 10, 10, True, fixed=True)
    most = max((count for count, _, _ in bins), default=1)
    parts = [across.drawn(10, size + 10), up.drawn_up(left, left + size)]
    parts.append(
        f'<line class="zero" x1="{across(0):.1f}" y1="{up(0):.1f}" '
        f'x2="{across(1):.1f}" y2="{up(1):.1f}"/>'
    )
    for count, stated, right in bins:
        told = f"{count:,} answers: {stated:.0%} sure, {right:.0%} right"
        parts.append(
            f'<g class="sure"><title>{told}</title><circle cx="{across(stated):.1f}" '
            f'cy="{up(right):.1f}" r="{3 + 7 * (count / most) ** 0.5:.1f}"/></g>'
        )
    return _svg(
        size + 56, [*parts, _below(label, size + 50, left + size / 2)], label, left + size + 20
    )


def _decades(axis: Axis, bottom: float) -> str:
    """Marks of a logarithmic axis: 1, 2 and 5 times powers of ten."""
    parts = []
    for power in range(floor(axis.low) - 1, ceil(axis.high) + 1):
        for times in (1, 2, 5):
            at = power + log10(times)
            if axis.low - 1e-9 <= at <= axis.high + 1e-9:
                x, value = axis(at), times * 10.0**power
                parts.append(
                    f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="10" y2="{bottom}"/>'
                    f'<text class="tick" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">'
                    f"{f'{value:,.10g}' if value >= 0.0001 else f'{value:.0e}'}</text>"
                )
    return "".join(parts)


def _front(points: Sequence[Point]) -> list[Point]:
    """The points that no cheaper one reaches, cheapest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cost, -p.score.estimate)):
        if not front or point.score.estimate > front[-1].score.estimate:
            front.append(point)
    return front


def _free(wanted: float, taken: list[float]) -> float:
    """A height for a label below those that are taken, as near as can be."""
    at = max([wanted, *(one + 15 for one in taken)]) if taken else wanted
    taken.append(at)
    return at


def _below(label: str, y: float, x: float = _WIDTH / 2) -> str:
    return f'<text class="axis" x="{x}" y="{y}" text-anchor="middle">{escape(label)}</text>'


def _svg(height: float, parts: Sequence[str], label: str, width: float = _WIDTH) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{escape(label, quote=True)}">{"".join(parts)}</svg>'
    )
