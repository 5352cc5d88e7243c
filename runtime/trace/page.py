"""A trace as one HTML page that needs nothing else: no network, no server, no other file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files

from ...compiler.values import Json
from .outline import Asked, Outline, Run
from .read import Header, Trace

__all__ = ["drawing", "page"]

_COLOURS = 8
"""The page knows so many colours for steps."""


def page(trace: Trace, *, question: str | None = None) -> str:
    """The page. All that it shows is data in a script element, put into the document as text."""
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    header = trace.header
    parts = {
        "{{title}}": escape(f"{header.pipeline} · polyarch trace"),
        "{{graph}}": drawing(header),
        "{{data}}": _embedded(_data(trace, question)),
    }
    for name, text in parts.items():
        before, after = template.split(name)
        template = before + text + after
    return template


def _embedded(data: Json) -> str:
    """JSON that can stand in a script element: no < begins a tag or a comment there."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _data(trace: Trace, question: str | None) -> Mapping[str, Json]:
    header, outline = trace.header, Outline()
    names = _names(header)
    events: list[Json] = []
    start = trace.events[0].at if trace.events else 0.0
    for event in trace.events:
        if question in (None, event.question):
            run = outline.take(event)
            step = names.setdefault(event.step, len(names)) if event.step else -1
            at = round(event.at - start, 6)
            events.append([at, run.number, event.what, step, event.place, event.data])
    return {
        "pipeline": header.pipeline,
        "about": str(header.plan.get("about", "")),
        "digest": header.digest,
        "polyarch": header.polyarch,
        "began": header.began + start,
        "models": header.models,
        "graph": header.graph,
        "cut": trace.cut,
        "steps": list(names),
        "ops": {str(step["name"]): str(step["op"]) for step in header.plan.get("steps", ())},
        "runs": [_run(header, run, start) for run in outline.runs],
        "asked": [_asked(names, run, one, start) for run in outline.runs for one in run.asked],
        "events": events,
    }


def _names(header: Header) -> dict[str, int]:
    return {str(step["name"]): number for number, step in enumerate(header.plan.get("steps", ()))}


def _run(header: Header, run: Run, start: float) -> Json:
    output, keep = str(header.plan.get("output", "")), int(header.plan.get("keep", 1))
    return {
        "id": run.id,
        "text": run.text,
        "seed": run.seed,
        "at": round(run.began - start, 6),
        "seconds": round(run.ended - run.began, 6),
        "end": run.end,
        "why": run.why,
        "answers": [made.answer for made in run.outcome(output, keep)],
    }


def _asked(names: Mapping[str, int], run: Run, one: Asked, start: float) -> Json:
    return [
        run.number,
        names[one.step],
        one.place,
        one.ask,
        one.turn,
        round(one.at - start, 6),
        round(one.ended - start, 6),
        one.model,
        one.role,
        one.draws,
        len(one.drawn),
        one.prompt,
        one.tokens,
        one.usd,
        one.state,
    ]


_WIDE, _HIGH, _ACROSS, _DOWN, _EDGE = 168, 50, 56, 18, 10
_LETTERS = 22
"""Of a name that fit into a box."""


def drawing(header: Header) -> str:
    """The graph as SVG, inputs left of their readers."""
    layers = _layers(header)
    tall = max(map(len, layers))
    where: dict[str, tuple[int, int]] = {}
    for column, layer in enumerate(layers):
        top = _EDGE + (tall - len(layer)) * (_HIGH + _DOWN) // 2
        for row, name in enumerate(layer):
            where[name] = (_EDGE + column * (_WIDE + _ACROSS), top + row * (_HIGH + _DOWN))
    width = 2 * _EDGE + len(layers) * (_WIDE + _ACROSS) - _ACROSS
    height = 2 * _EDGE + tall * (_HIGH + _DOWN) - _DOWN
    parts = [*_edges(header, where), *_boxes(header, where)]
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'style="min-width: min({width}px, 760px)" role="group" '
        f'aria-label="The graph of {escape(header.pipeline)}">{"".join(parts)}</svg>'
    )


_QUESTION, _RESULT, _BEND = "\x00question", "\x00result", "\x00bend "


def _inputs(header: Header) -> dict[str, Sequence[str]]:
    """What every box reads, the question and the result among them."""
    steps = header.plan.get("steps", ())
    read: dict[str, Sequence[str]] = {_QUESTION: ()}
    read |= {str(step["name"]): step["inputs"] or (_QUESTION,) for step in steps}
    read[_RESULT] = [name for name in (str(header.plan.get("output", "")),) if name in read]
    return read


def _routed(header: Header) -> tuple[dict[str, Sequence[str]], dict[str, int]]:
    """What every box reads, and how far it is from the question. Where an edge skips layers it
    passes a bend in each of them, so that it does not run under boxes."""
    read = _inputs(header)
    depth: dict[str, int] = {}
    for name, inputs in read.items():
        depth[name] = 1 + max((depth.get(one, 0) for one in inputs), default=-1)
    for name, inputs in list(read.items()):
        read[name] = [_bent(one, depth[name], read, depth) for one in inputs if one in depth]
    return read, depth


def _bent(one: str, layer: int, read: dict[str, Sequence[str]], depth: dict[str, int]) -> str:
    """The last bend of an edge from a box to a layer, or the box itself if it is next to it."""
    before = one
    for between in range(depth[one] + 1, layer):
        bend = f"{_BEND}{between} {one}"
        read[bend], depth[bend] = (before,), between
        before = bend
    return before


def _layers(header: Header) -> list[list[str]]:
    """The boxes and bends by how far they are from the question; near what they read."""
    read, depth = _routed(header)
    layers: list[list[str]] = [[] for _ in range(1 + max(depth.values()))]
    for name, layer in depth.items():
        layers[layer].append(name)
    height: dict[str, float] = {}
    for boxes in layers:
        boxes.sort(key=lambda name: _mean([height.get(one, 0.0) for one in read[name]]))
        height |= {name: row - (len(boxes) - 1) / 2 for row, name in enumerate(boxes)}
    return layers


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _edges(header: Header, where: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for name, inputs in _routed(header)[0].items():
        right, end = where[name][0], where[name][1] + _HIGH // 2
        bend = name.startswith(_BEND)
        for one in inputs:
            left, high = where[one][0] + _WIDE, where[one][1] + _HIGH // 2
            middle, to = (left + right) // 2, right + _WIDE if bend else right - 6
            path = f"M{left},{high} C{middle},{high} {middle},{end} {min(to, right)},{end}"
            yield f'<path class="edge" d="{path}{f" H{to}" if bend else ""}"/>'
            if not bend:
                tip = f"M{right - 7},{end - 4} L{right},{end} L{right - 7},{end + 4} Z"
                yield f'<path class="tip" d="{tip}"/>'


def _boxes(header: Header, where: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for name, title in ((_QUESTION, "question"), (_RESULT, "result")):
        x, y = where[name]
        yield (
            f'<g class="end" transform="translate({x},{y})"><rect width="{_WIDE}" height="{_HIGH}" '
            f'rx="25"/><text x="{_WIDE // 2}" y="30" text-anchor="middle">{title}</text></g>'
        )
    for number, step in enumerate(header.plan.get("steps", ())):
        name, (x, y) = str(step["name"]), where[str(step["name"])]
        yield (
            f'<g class="step" data-step="{escape(name)}" tabindex="0" role="button" '
            f'aria-pressed="false" transform="translate({x},{y})"><title>{escape(name)}</title>'
            f'<rect width="{_WIDE}" height="{_HIGH}" rx="6"/>'
            f'<rect class="c{number % _COLOURS} bar" width="5" height="{_HIGH}" rx="2"/>'
            f'<text class="name" x="14" y="17">{escape(_short(name))}</text>'
            f'<text class="kind" x="14" y="31">{escape(_short(str(step["op"])))}</text>'
            f'<text class="sums" x="14" y="44"></text></g>'
        )


def _short(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
