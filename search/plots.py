"""The plots of a report as SVG: points and a line, bars, and parallel coordinates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

__all__ = ["bars", "parallel", "scatter"]

_WIDTH, _HEIGHT, _EDGE = 820, 260, 48
_ROW = 20
_NONE = "—"


def scatter(
    xs: Sequence[float],
    ys: Sequence[float],
    dark: Sequence[bool],
    across: str,
    up: str,
    labels: Sequence[str],
    line: Sequence[float] = (),
) -> str:
    """A point for each pair, told by its label under the pointer, and a line where it is known."""
    x, y = _Scale(xs, _EDGE + 8, _WIDTH - 16), _Scale(ys, _HEIGHT - _EDGE - 8, 24)
    marks = "".join(
        f'<circle class="{"best" if d else "other"}" cx="{x(a):.1f}" cy="{y(b):.1f}" r="3.5">'
        f"<title>{escape(told)}</title></circle>"
        for a, b, d, told in sorted(zip(xs, ys, dark, labels, strict=True), key=lambda one: one[2])
    )
    drawn = " ".join(
        f"{x(a):.1f},{y(b):.1f}" for a, b in zip(xs, line, strict=False) if b > float("-inf")
    )
    floor = _HEIGHT - _EDGE
    axes = (
        f'<path class="axis" fill="none" d="M{_EDGE} 16V{floor}H{_WIDTH - 8}"/>'
        f'<text class="middle" x="{_WIDTH / 2}" y="{_HEIGHT - 10}">{escape(across)}</text>'
        f'<text x="{_EDGE}" y="10">{escape(up)}</text>'
        + "".join(_ticks(xs, lambda a: (x(a), floor + 16), "middle"))
        + "".join(_ticks(ys, lambda b: (_EDGE - 6, y(b) + 4), "end"))
    )
    return _svg(f'{axes}<polyline class="line" points="{drawn}"/>{marks}', _HEIGHT)


def _ticks(
    values: Sequence[float], at: Callable[[float], tuple[float, float]], anchor: str
) -> Sequence[str]:
    low, high = min(values), max(values)
    told = [low, (low + high) / 2, high] if high > low else [low]
    return [
        f'<text class="{anchor}" x="{at(v)[0]:.1f}" y="{at(v)[1]:.1f}">{v:.3g}</text>' for v in told
    ]


def bars(shares: Sequence[tuple[str, float]]) -> str:
    """A bar for each share of one."""
    made = []
    for place, (name, share) in enumerate(shares):
        y = _ROW * place + 14
        made.append(f'<text class="end" x="250" y="{y}">{escape(name)}</text>')
        made.append(
            f'<rect class="best" x="260" y="{y - 10}" width="{480 * share:.1f}" height="12"/>'
        )
        made.append(f'<text x="{266 + 480 * share:.1f}" y="{y}">{share:.0%}</text>')
    return _svg("".join(made), _ROW * len(shares) + 8)


def parallel(rows: Sequence[Mapping[str, str]], dark: Sequence[bool]) -> str:
    """A line for each row across an axis for each name, on which its values are told."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    levels = {name: _levels([row.get(name, _NONE) for row in rows]) for name in names}
    step = (_WIDTH - 180) / max(1, len(names) - 1)
    floor = 30 + _ROW * max((len(told) for told in levels.values()), default=1)

    def at(place: int, name: str, value: str) -> tuple[float, float]:
        told = levels[name]
        return 60 + step * place, 16 + (told.index(value) + 0.5) / len(told) * (floor - 16)

    lines = []
    for row, best in sorted(zip(rows, dark, strict=True), key=lambda pair: pair[1]):
        spots = [at(place, name, row.get(name, _NONE)) for place, name in enumerate(names)]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        lines.append(f'<polyline class="{"line" if best else "thin"}" points="{drawn}"/>')
    labels = []
    for place, name in enumerate(names):
        x = 60 + step * place
        labels.append(f'<path class="axis" d="M{x:.1f} 16V{floor}"/>')
        labels.append(
            f'<text transform="translate({x:.1f},{floor + 14}) rotate(20)">{escape(name)}</text>'
        )
        for value in levels[name]:
            told = escape(value if len(value) <= 18 else f"{value[:17]}…")
            y = at(place, name, value)[1] + 4
            labels.append(f'<text x="{x + 4:.1f}" y="{y:.1f}">{told}</text>')
    return _svg("".join((*labels, *lines)), floor + 80)


def _levels(values: Sequence[str]) -> list[str]:
    """The values in order, numbers by size, and nothing at the end."""
    return sorted(set(values), key=lambda v: (v == _NONE, not _number(v), _size(v), v))


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _size(text: str) -> float:
    return float(text) if _number(text) else 0.0


def _svg(inside: str, height: int) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img">{inside}</svg>'


class _Scale:
    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low, self._high = min(values), max(values)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        span = self._high - self._low
        share = (value - self._low) / span if span else 0.5
        return self._start + share * (self._end - self._start)
