"""Where the boxes and lines of a drawn graph go: in layers, what is read left of who reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

__all__ = ["HIGH", "QUESTION", "RESULT", "WIDE", "Arranged", "Box", "Line", "Spot", "arranged"]

WIDE, HIGH = 168, 50
"""The size of a box, in pixels."""

_ACROSS, _DOWN, _EDGE, _BENT = 56, 18, 10, 4

QUESTION, RESULT, _BEND = "\x00question", "\x00result", "\x00bend "
"""Boxes beside the steps, by names that no step can have."""


class Box(NamedTuple):
    """A step to draw: its name, its operator, and the steps that it reads and waits for."""

    name: str
    kind: str
    inputs: Sequence[str]
    waits_for: Sequence[str] = ()
    asks_apart: bool = False
    """Whether it is asked something else than the question, so that no line comes from there."""


class Spot(NamedTuple):
    """The upper left corner of a box."""

    x: int
    y: int


class Line(NamedTuple):
    """A line to a box, as an SVG path; `tip` is where it ends in a box, if it does."""

    path: str
    tip: Spot | None
    waits: bool
    """Whether it carries no candidates: one step waits for another."""


class Arranged(NamedTuple):
    """A drawing without its looks. `spots` by the names of steps, `QUESTION` and `RESULT`."""

    width: int
    height: int
    spots: Mapping[str, Spot]
    lines: Sequence[Line]


class _Read(NamedTuple):
    """What a box or a bend is drawn behind."""

    name: str
    waits: bool


def arranged(boxes: Sequence[Box], output: str) -> Arranged:
    """Arrange steps, the question before and the result after them. A line that skips layers passes
    a bend in each of them, so that it does not run under boxes."""
    read, depth = _routed(boxes, output)
    layers = _layers(read, depth)
    tall = max(map(_tall, layers))
    spots: dict[str, Spot] = {}
    for column, layer in enumerate(layers):
        down = _EDGE + (tall - _tall(layer)) // 2
        for name in layer:
            spots[name] = Spot(_EDGE + column * (WIDE + _ACROSS), down)
            down += _high(name) + _DOWN
    return Arranged(
        2 * _EDGE + len(layers) * (WIDE + _ACROSS) - _ACROSS,
        2 * _EDGE + tall,
        {name: spot for name, spot in spots.items() if not name.startswith(_BEND)},
        tuple(_lines(read, spots)),
    )


def _high(name: str) -> int:
    return _BENT if name.startswith(_BEND) else HIGH


def _tall(layer: Sequence[str]) -> int:
    return sum(_high(name) + _DOWN for name in layer) - _DOWN


def _inputs(boxes: Sequence[Box], output: str) -> dict[str, list[_Read]]:
    """What every box is drawn behind, the question and the result among them."""
    read: dict[str, list[_Read]] = {QUESTION: []}
    for box in boxes:
        first = () if box.asks_apart else (QUESTION,)
        own = [_Read(name, False) for name in box.inputs or first]
        own += [_Read(name, True) for name in box.waits_for if name not in box.inputs]
        read[box.name] = own
    read[RESULT] = [_Read(output, False)] if output in read else []
    return read


def _routed(boxes: Sequence[Box], output: str) -> tuple[dict[str, list[_Read]], dict[str, int]]:
    """What every box and bend is drawn behind, and how far it is from the question."""
    read = _inputs(boxes, output)
    depth: dict[str, int] = {}
    for name, inputs in read.items():
        depth[name] = 1 + max((depth.get(one.name, 0) for one in inputs), default=-1)
    for name, inputs in list(read.items()):
        known = [one for one in inputs if one.name in depth]
        read[name] = [_bent(one, depth[name], read, depth) for one in known]
    return read, depth


def _bent(one: _Read, layer: int, read: dict[str, list[_Read]], depth: dict[str, int]) -> _Read:
    """The last bend of a line from a box to a layer, or the box itself if it is next to it."""
    before = one
    for between in range(depth[one.name] + 1, layer):
        bend = f"{_BEND}{between} {one.waits} {one.name}"
        read[bend], depth[bend] = [before], between
        before = _Read(bend, one.waits)
    return before


def _layers(read: Mapping[str, Sequence[_Read]], depth: Mapping[str, int]) -> list[list[str]]:
    """The boxes and bends by how far they are from the question; near what they read."""
    layers: list[list[str]] = [[] for _ in range(1 + max(depth.values()))]
    for name, layer in depth.items():
        layers[layer].append(name)
    height: dict[str, float] = {}
    for boxes in layers:
        boxes.sort(key=lambda name: _mean([height.get(one.name, 0.0) for one in read[name]]))
        height |= {name: row - (len(boxes) - 1) / 2 for row, name in enumerate(boxes)}
    return layers


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _lines(read: Mapping[str, Sequence[_Read]], spots: Mapping[str, Spot]) -> Iterator[Line]:
    for name, inputs in read.items():
        right, end = spots[name].x, spots[name].y + _high(name) // 2
        bend = name.startswith(_BEND)
        for one in inputs:
            left, high = spots[one.name].x + WIDE, spots[one.name].y + _high(one.name) // 2
            middle, to = (left + right) // 2, right + WIDE if bend else right - 6
            path = f"M{left},{high} C{middle},{high} {middle},{end} {min(to, right)},{end}"
            tip = None if bend else Spot(right, end)
            yield Line(f"{path} H{to}" if bend else path, tip, one.waits)
