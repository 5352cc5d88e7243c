"""A trace as one HTML page that needs nothing else: no network, no server, no other file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files

from ...compiler.emit.arranged import Box, arranged
from ...compiler.emit.svg import draw
from ...compiler.values import Json
from .outline import Asked, Outline, Run
from .read import Header, Trace

__all__ = ["drawing", "page", "template"]


def page(trace: Trace, *, question: str | None = None) -> str:
    """The page. All that it shows is data in a script element, put into the document as text."""
    text = template()
    header = trace.header
    parts = {
        "{{title}}": escape(f"{header.pipeline} · polyarch trace"),
        "{{graph}}": drawing(header),
        "{{data}}": _embedded(_data(trace, question)),
    }
    for name, part in parts.items():
        before, after = text.split(name)
        text = before + part + after
    return text


def template() -> str:
    """The page with nothing in it."""
    return files(__package__).joinpath("page.html").read_text(encoding="utf-8")


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


def drawing(header: Header) -> str:
    """The graph as SVG, inputs left of their readers; its steps are buttons."""
    boxes = [
        Box(
            str(step["name"]),
            str(step["op"]),
            step["inputs"],
            [name for name in (step.get("gate"), step.get("topic")) if name],
            bool(step.get("topic")),
        )
        for step in header.plan.get("steps", ())
    ]
    where = arranged(boxes, str(header.plan.get("output", "")))
    return draw(boxes, where, {}, f"The graph of {header.pipeline}", pressed=True)
