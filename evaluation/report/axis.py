"""An axis of a plot."""

from __future__ import annotations

from math import ceil, floor, log10

__all__ = ["Axis"]


class Axis:
    """From values to places, with round marks between. Runs over whole marks unless `fixed`."""

    def __init__(
        self,
        low: float,
        high: float,
        start: float,
        end: float,
        percent: bool,
        *,
        signed: bool = False,
        fixed: bool = False,
    ) -> None:
        self.step = _round_step((high - low) or 0.1)
        self.low = low if fixed else floor(low / self.step + 1e-9) * self.step
        self.high = (
            high if fixed else max(ceil(high / self.step - 1e-9) * self.step, self.low + self.step)
        )
        self._start, self._end = start, end
        self._percent, self._signed = percent, signed

    def __call__(self, value: float) -> float:
        return self._start + (value - self.low) / (self.high - self.low) * (self._end - self._start)

    def text(self, value: float) -> str:
        """A value as it is written at the axis."""
        sign = "+" if self._signed else "-"
        if self._percent:
            whole = abs(100 * self.step - round(100 * self.step)) < 1e-9
            places = 0 if whole else 1
            return f"{100 * value:{sign}.{places}f}%"
        return f"{value:{sign}.3g}"

    @property
    def marks(self) -> list[float]:
        """The round values on the axis."""
        count = round((self.high - self.low) / self.step)
        return [self.low + place * self.step for place in range(count + 1)]

    def drawn(self, top: float, bottom: float) -> str:
        """The axis along the bottom."""
        return "".join(
            f'<line class="grid" x1="{self(v):.1f}" x2="{self(v):.1f}" y1="{top}" y2="{bottom}"/>'
            f'<text class="tick" x="{self(v):.1f}" y="{bottom + 16}" text-anchor="middle">'
            f"{self.text(0.0 if abs(v) < 1e-12 else v)}</text>"
            for v in self.marks
        )

    def drawn_up(self, left: float, right: float) -> str:
        """The axis along the left."""
        return "".join(
            f'<line class="grid" x1="{left}" x2="{right}" y1="{self(v):.1f}" y2="{self(v):.1f}"/>'
            f'<text class="tick" x="{left - 8}" y="{self(v) + 4:.1f}" text-anchor="end">'
            f"{self.text(v)}</text>"
            for v in self.marks
        )


def _round_step(span: float) -> float:
    rough = span / 5
    power = 10.0 ** floor(log10(rough))
    return next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
